# SPDX-License-Identifier: MIT
# Reads Glasshouse's log by glasshouse-log. With gh.last=WORDS (and _ for each space), the log of the
# boot before must contain the WORDS; otherwise there must be none.
. /tests/tap.inc

# wait_for WORDS FILE: waits until FILE has WORDS, at most ten seconds.
wait_for()
{
	for i in $(seq 20); do
		grep -q "$1" "$2" && return 0
		usleep 500000
	done
	return 1
}

plan 18
ok "glasshouse-log >/tmp/log" "the log can be read"
is "$(sed -n '2s/ .*//p' /tmp/log)" Glasshouse "it begins with the first line"
is "$(grep -c '^Entering the guest' /tmp/log)" 1 "it has the lines before the guest"
is "$(grep -c '^--- ' /tmp/log)" 0 "nothing of it is lost"
glasshouse-log -f >/tmp/follow &
ok "wait_for '^Entering the guest' /tmp/follow" "-f begins with the same lines"
# Writes to the log's pages are what Glasshouse says something about.
ok "! grep -q 'which is Glasshouse.s: ignored' /tmp/follow" "Glasshouse has logged no write yet"
ok "hole $(log_range)" "the log's pages are text, and writes have no effect"
ok "wait_for 'writes to .*, which is Glasshouse.s: ignored' /tmp/follow" "-f prints a line that appears later"
kill $!
ok "tail -c 1 /tmp/follow | grep -qx ''" "-f prints whole lines only"

ok "! glasshouse-log -x 2>/tmp/why" "a wrong option is refused"
mv /dev/mem /dev/mem.away
ok "! glasshouse-log 2>/tmp/why && grep -q 'There is no /dev/mem' /tmp/why" "without /dev/mem it says so"
mv /dev/mem.away /dev/mem

# The exits: the table's head, its total, and the sum of a column.
glasshouse-stat >/tmp/stat
is "$(sed -n 1p /tmp/stat | xargs)" "VM-EXIT Samples Samples% Time% Min Time Max Time Avg time" "glasshouse-stat prints a table"
cpuids=$(awk '$1 == "CPUID" { print $2 }' /tmp/stat)
for i in $(seq 50); do cpuid 0 0 eax >/dev/null; done
more=$(glasshouse-stat | awk '$1 == "CPUID" { print $2 }')
ok '[ $((more - cpuids)) -ge 50 -a "$cpuids" -gt 0 ]' "it counts CPUIDs: $cpuids, then $more"
ok "glasshouse-stat -r -c 0 | grep -q 'CPUID [0-9a-f]* *[0-9]'" "it tells RIPs"
glasshouse-stat -t /tmp/exits
is "$(head -c 16 /tmp/exits)" "glasshouse exits" "-t writes the recorded exits"
ok "! glasshouse-stat -c 99 2>/tmp/why && grep -q 'no such vCPU' /tmp/why" "a wrong vCPU is refused"

last=$(param last | tr _ ' ')
glasshouse-log -p >/tmp/last 2>/tmp/why
if [ -n "$last" ]; then
	is "$(grep -c "$last" /tmp/last)" 1 "the log of the boot before has its last words"
	is "$(grep -c '^Entering the guest' /tmp/last)" 1 "and all that came before"
else
	ok "grep -q '^glasshouse-log: There is no log of the boot before' /tmp/why" "there is no log of the boot before"
	is "$(cat /tmp/last)" "" "and nothing is printed"
fi
