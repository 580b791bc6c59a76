# SPDX-License-Identifier: MIT
# Takes the last CPU offline and online again, three times; it must work afterwards.
. /tests/tap.inc

last=$((cpus - 1))
node=/sys/devices/system/cpu/cpu$last/online

plan 12
for round in 1 2 3; do
	ok "echo 0 >$node" "round $round: CPU $last goes offline"
	is "$(nproc)" "$last" "round $round: it is offline"
	ok "echo 1 >$node" "round $round: CPU $last comes online"
	is "$(taskset -c "$last" cut -d ' ' -f 39 /proc/self/stat)" "$last" "round $round: it works"
done
