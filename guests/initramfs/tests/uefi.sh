# SPDX-License-Identifier: MIT
# Checks what Linux has of UEFI. gh.under=1: under Glasshouse; gh.under=0: not. gh.boots=N: boots N times, with one TAP
# plan for all; from the second boot on it checks less. A byte of the CMOS RAM tells which boot it is, because OVMF in
# Bochs has no flash memory and begins with new variables.
. /tests/tap.inc

byte=0x6e
first=160 # the byte in the second boot is 161
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

# Boot again, unless this was the last boot.
next()
{
	if [ "$1" = "$(param boots)" ]; then
		cmos $byte 0
		exit
	fi
	cmos $byte $((first + $1))
	exec restart
}

before=$(($(cmos $byte) - first))
if [ $before -gt 0 ]; then
	n=$((11 + 3 * (before - 1)))
	check "boot $((before + 1))"
	next $((before + 1))
fi

plan $((11 + 3 * ($(param boots) - 1)))
check "boot 1"
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
next 1
