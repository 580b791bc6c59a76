# SPDX-License-Identifier: MIT
# CPUs other than the first go and come back, and work after it.
. /tests/tap.inc

last=$((cpus - 1))
node=/sys/devices/system/cpu/cpu$last/online

plan 12
for round in 1 2 3; do
	ok "echo 0 >$node" "round $round: CPU $last goes"
	is "$(nproc)" "$last" "round $round: it is gone"
	ok "echo 1 >$node" "round $round: CPU $last comes"
	is "$(taskset -c "$last" cut -d ' ' -f 39 /proc/self/stat)" "$last" "round $round: it works"
done
