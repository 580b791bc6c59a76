# SPDX-License-Identifier: MIT
# Glasshouse leaves, and Linux continues on the bare machine.
. /tests/tap.inc

# timer CPU: prints the number of its timer interrupts.
timer()
{
	awk -v cpu="$1" '$1 == "LOC:" { print $(cpu + 2) }' /proc/interrupts
}

ticks_on()
{
	before=$(timer "$1")
	taskset -c "$1" sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done'
	[ "$(timer "$1")" -gt "$before" ]
}

plan $((8 + cpus))
dmesg -c >/dev/null
is "$(each_cpu cpuid 0x40000000 name | sort -u)" "Glasshouse  " "Linux runs under Glasshouse"
sh -c 'while :; do :; done' &
ok "insmod /lib/leave.ko" "Glasshouse leaves when asked"
kill $!
is "$(each_cpu cpuid 0x40000000 name | grep -c Glasshouse)" 0 "CPUID names Glasshouse on no CPU"
is "$(each_cpu cpuid 1 0 ecx 5 | sort -u)" 1 "each CPU has VT-x again"
is "$(nproc)" "$cpus" "every CPU runs"
for cpu in $all; do
	ok "ticks_on $cpu" "CPU $cpu gets timer interrupts"
done
ok "spawn 50" "processes start and end"
if [ "$cpus" -gt 1 ]; then
	node=/sys/devices/system/cpu/cpu1/online
	ok "echo 0 >$node && echo 1 >$node && taskset -c 1 true" "CPU 1 goes offline and online again"
else
	skip "CPU 1 goes offline and online again" "one CPU"
fi
dmesg | grep -iE 'bug|oops|stall|lockup|unhandled|mce|nmi received' | sed 's/^/# /'
is "$(dmesg | grep -ciE 'bug|oops|stall|lockup|unhandled|mce|nmi received')" 0 "the kernel has logged no problem"
