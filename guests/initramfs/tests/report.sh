# SPDX-License-Identifier: MIT
# Works a little on each CPU, then sends all exits since the start, and the names of the kernel's
# functions, to port E9, for tools/report/record.py.
. /tests/tap.inc

plan 2
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
glasshouse-stat | sed 's/^/# /'
