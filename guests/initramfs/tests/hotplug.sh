# SPDX-License-Identifier: MIT
# Takes the last CPU offline and online again, three times; it must work afterwards. With gh.last=WORDS (and _ for each
# space), the log of the boot before must contain the WORDS.
. /tests/tap.inc

last=$((cpus - 1))
node=/sys/devices/system/cpu/cpu$last/online

plan 13
for round in 1 2 3; do
	ok "echo 0 >$node" "round $round: CPU $last goes offline"
	is "$(nproc)" "$last" "round $round: it is offline"
	ok "echo 1 >$node" "round $round: CPU $last comes online"
	is "$(taskset -c "$last" cut -d ' ' -f 39 /proc/self/stat)" "$last" "round $round: it works"
done
glasshouse-log -p >/tmp/last 2>/dev/null
is "$(grep -c "$(param last | tr _ ' ').*" /tmp/last)" "$([ -n "$(param last)" ] && echo 1 || echo 0)" \
	"the log of the boot before has its last words, if there is one"
