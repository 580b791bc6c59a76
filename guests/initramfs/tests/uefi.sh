# SPDX-License-Identifier: MIT
# Checks what Linux has of UEFI. gh.under=1: under Glasshouse; gh.under=0: not. gh.boots=2: reboots, and checks again,
# with one TAP plan for both boots. A byte of the CMOS RAM tells which boot it is, because OVMF in Bochs has no flash
# memory and begins with new variables.
. /tests/tap.inc

byte=0x6e
# Variables of this GUID, of Linux' own, can be removed without chattr.
guid=cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0
vars=/sys/firmware/efi/efivars
problem='BUG:|Oops|rcu.*stall|lockup|[Uu]nhandled|efi: .*([Ff]ail|[Ee]rror|[Ff]ault)'
mine=$vars/GlasshouseTest-$guid

check()
{
	is "$(nproc)" "$cpus" "$1: every CPU runs"
	is "$(cpuid 0x40000000 name | grep -c Glasshouse)" "$(param under)" "$1: under Glasshouse, or not"
	dmesg | grep -E "$problem" | sed 's/^/# /'
	is "$(dmesg | grep -cE "$problem")" 0 "$1: the kernel has logged no problem"
}

if [ "$(cmos $byte)" = 165 ]; then
	n=11
	cmos $byte 0
	check "second boot"
	exit
fi

plan $(($(param boots) == 2 ? 14 : 11))
check "first boot"
current=$vars/BootCurrent-8be4df61-93ca-11d2-aa0d-00e098032b8c
ok '[ -e "$current" ]' "there are the firmware's variables"
echo "# boot entry $(tail -c +5 "$current" | od -An -tu2 | xargs)"
printf '\7\0\0\00042' >"$mine"
is "$(tail -c +5 "$mine")" 42 "a variable can be written and read"
printf '\7\0\0\00043' >"$mine"
is "$(tail -c +5 "$mine")" 43 "a variable can be changed"
ok 'rm "$mine" && [ ! -e "$mine" ]' "a variable can be removed"
date=$(hwclock -r 2>/dev/null)
ok '[ -n "$date" ]' "the clock can be read"
# Of the memory that is reserved, Glasshouse's reads as all ones. efi=debug prints the memory map. The host's part of
# this test compares the size with what Glasshouse says.
range='range=\[0x\([0-9a-f]*\)-0x\([0-9a-f]*\)\]'
dmesg | sed -n "s/.*efi: mem[0-9]*: \[Reserved .*$range.*/\1 \2/p" >/tmp/reserved
while read -r range; do hole $range find; done </tmp/reserved >/tmp/holes
sed 's/^/# hole /' /tmp/holes
is "$(glasshouse-log 2>/dev/null | grep -c "^Entering the guest")" "$(param under)" "glasshouse-log prints Glasshouse's report"
is "$([ -s /tmp/holes ] && echo 1 || echo 0)" "$(param under)" "reserved memory reads as all ones, under Glasshouse"
ok 'while read -r range; do hole $range || exit 1; done </tmp/holes' "writes there have no effect"
[ "$(param boots)" = 2 ] || exit 0
cmos $byte 165
restart
