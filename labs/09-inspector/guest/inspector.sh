# SPDX-License-Identifier: MIT
# What Linux does in lab 9. `cpuid LEAF N` tells the check (check/check.c) where the script is.
. /tests/tap.inc

vector=$(param vector)
kind=$(param kind)
call=$(param call)
# Root may read the addresses, and so may a rootkit.
table=$(grep -m 1 ' sys_call_table$' /proc/kallsyms | cut -d ' ' -f 1)

phase()
{
	cpuid 0x4c414239 "$1" eax >/dev/null
}

# What goes on in any Linux, and what looks like an attack, but is none.
noise()
{
	insmod /lib/noise.ko "vector=$vector" "table=0x$table" "call=$call" && rmmod noise
	i=0
	while [ $i -lt 5 ]; do
		cat /proc/interrupts /proc/modules >/dev/null
		i=$((i + 1))
	done
}

dmesg -c >/dev/null
plan 8
cpuid 0x4c41423a "0x${table#ffffffff}" eax >/dev/null
phase 1
ok noise "a module writes to the IDT without changing it"
phase 2
ok 'insmod /lib/rootkit.ko "vector=$vector" "kind=$kind"' "the rootkit is loaded"
phase 3
ok 'rmmod rootkit && noise' "it goes, and the module comes again"
phase 4
ok 'insmod /lib/rootkit.ko "vector=$vector" "kind=$kind" && rmmod rootkit' "the rootkit comes and goes"
phase 5
ok 'insmod /lib/rootkit.ko kind=call "table=0x$table" "call=$call"' "the rootkit changes the system-call table"
phase 6
ok 'rmmod rootkit && noise' "it puts it back, and the module comes again"
phase 7
ok 'insmod /lib/rootkit.ko kind=call "table=0x$table" "call=$call" && rmmod rootkit' "and once more"
phase 8
is "$(dmesg | grep -ciE 'bug|oops|stall|lockup|unhandled')" 0 "the kernel has logged no problem"
