# SPDX-License-Identifier: MIT
# Checks what Linux under Glasshouse sees: all CPUs, all memory but Glasshouse's, no VT-x.
. /tests/tap.inc

plan 14
is "$(nproc)" "$cpus" "Linux runs on every CPU"
is "$(each_cpu sh -c 'cut -d " " -f 39 /proc/self/stat' | xargs)" "$(echo $all)" \
	"a process runs on each CPU"
ok '! grep -q "^flags.* vmx" /proc/cpuinfo' "/proc/cpuinfo shows no VT-x"
is "$(each_cpu cpuid 1 0 ecx 5 | sort -u)" 0 "CPUID.1:ECX.VMX is clear on each CPU"
hypervisor=$(param hypervisor)
is "$(each_cpu cpuid 1 0 ecx 31 | sort -u)" "${hypervisor:-0}" \
	"CPUID.1:ECX[31], hypervisor, is on each CPU as without Glasshouse"
is "$(each_cpu cpuid 0x40000000 name | sort -u)" "Glasshouse  " "CPUID names Glasshouse"

# The memory map that Linux was given. The host's part of this test checks it.
dmesg | sed -n 's/.*BIOS-e820: \[mem \(0x[0-9a-f]*\)-\(0x[0-9a-f]*\)\] \(.*\)/# e820 \1 \2 \3/p'

# Glasshouse's memory is the reserved ranges between 1 MiB and 3 GiB: Bochs' firmware has none there.
hole=$(sed -n 's/^\([0-9a-f]*\)-\([0-9a-f]*\) : Reserved$/\1 \2/p' /proc/iomem |
	awk 'length($1) == 8 && $1 >= "00100000" && $2 < "c0000000"')
# Other firmware says with gh.firmware= how many KiB it reserves itself at the end of RAM.
firmware=$(param firmware)
[ -z "$firmware" ] || hole="${hole% *} $(printf %08x $((0x${hole##* } - firmware * 1024)))"
ok '[ -n "$hole" ]' "RAM is reserved"
echo "$hole" | sed 's/^/# hole /'
dmesg -c >/tmp/before
ok 'echo "$hole" | { while read -r range; do hole $range || exit 1; done; }' \
	"reserved RAM reads as all ones, and writes have no effect"
ok "hole $(log_range)" "the log is text, and writes have no effect"
is "$(glasshouse-log | grep -c '^Entering the guest')" 1 "glasshouse-log prints the log"
ok "faults" "page faults have the right error code and address"
ok "spawn 50" "processes start and end on each CPU"
is "$(each_cpu sh -c 'echo $((6 * 7))' | sort -u)" 42 "each CPU still computes"
dmesg | grep -iE 'bug|oops|stall|lockup|unhandled|mce' | sed 's/^/# /'
is "$(dmesg | grep -ciE 'bug|oops|stall|lockup|unhandled|mce')" 0 "the kernel has logged no problem"
