# SPDX-License-Identifier: MIT
# Works a little on each CPU, then sends all exits since the start, and the names of the kernel's
# functions, to port E9, for tools/report/record.py.
. /tests/tap.inc

plan 3
ok "spawn 20" "processes start and end on each CPU"
each_cpu cpuid 0 0 eax >/dev/null
[ ! -e /sys/devices/system/cpu/cpu1/online ] || each_cpu cpuid 0x80000000 0 eax >/dev/null
ok "glasshouse-stat -t /tmp/exits" "glasshouse-stat writes the exits"
{
	echo "=== exits"
	base64 /tmp/exits
	echo "=== symbols"
	grep ' [tT] ' /proc/kallsyms
	echo "=== end"
} | e9
timeout -s INT 3 glasshouse-stat -w >/tmp/watch
ok "grep -q '^Total Samples:[0-9]*,' /tmp/watch" "glasshouse-stat -w prints a table each second, until Ctrl-C"
glasshouse-stat | sed 's/^/# /'
