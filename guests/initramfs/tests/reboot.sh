# SPDX-License-Identifier: MIT
# Boots, reboots, boots again: one TAP plan for both boots. A byte of the CMOS RAM tells which it is.
. /tests/tap.inc

byte=0x6e

case $(cmos $byte) in
165)
	n=2
	is "$(nproc)" "$cpus" "second boot: every CPU runs"
	is "$(cpuid 0x40000000 name)" "Glasshouse  " "second boot: under Glasshouse"
	cmos $byte 0
	;;
*)
	plan 4
	is "$(nproc)" "$cpus" "first boot: every CPU runs"
	is "$(cpuid 0x40000000 name)" "Glasshouse  " "first boot: under Glasshouse"
	cmos $byte 165
	reboot -f
	;;
esac
