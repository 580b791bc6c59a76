# SPDX-License-Identifier: MIT
# What Linux does in lab 9. `cpuid LEAF N` tells the check (check/check.c) where the script is.
. /tests/tap.inc

vector=$(param vector)
kind=$(param kind)

phase()
{
	cpuid 0x4c414239 "$1" eax >/dev/null
}

# What goes on in any Linux, and what looks like an attack, but is none.
noise()
{
	insmod /lib/noise.ko "vector=$vector" && rmmod noise
	i=0
	while [ $i -lt 5 ]; do
		cat /proc/interrupts /proc/modules >/dev/null
		i=$((i + 1))
	done
}

dmesg -c >/dev/null
plan 5
phase 1
ok noise "a module writes to the IDT without changing it"
phase 2
ok 'insmod /lib/rootkit.ko "vector=$vector" "kind=$kind"' "the rootkit is loaded"
phase 3
ok 'rmmod rootkit && noise' "it goes, and the module comes again"
phase 4
ok 'insmod /lib/rootkit.ko "vector=$vector" "kind=$kind" && rmmod rootkit' "the rootkit comes and goes"
phase 5
is "$(dmesg | grep -ciE 'bug|oops|stall|lockup|unhandled')" 0 "the kernel has logged no problem"
