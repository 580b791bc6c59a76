# SPDX-License-Identifier: MIT
# What every Linux under Glasshouse must find: its CPUs, its memory, and nothing of ours.
. /tests/tap.inc

plan 13
is "$(nproc)" "$cpus" "Linux runs on every CPU"
is "$(each_cpu sh -c 'cut -d " " -f 39 /proc/self/stat' | xargs)" "$(echo $all)" \
	"a process runs on each of them"
ok '! grep -q "^flags.* vmx" /proc/cpuinfo' "/proc/cpuinfo shows no VT-x"
is "$(each_cpu cpuid 1 0 ecx 5 | sort -u)" 0 "CPUID.1:ECX.VMX is clear on each CPU"
is "$(each_cpu cpuid 1 0 ecx 31 | sort -u)" 0 "CPUID.1:ECX[31], hypervisor, is clear on each CPU"
is "$(each_cpu cpuid 0x40000000 name | sort -u)" "Glasshouse  " "CPUID says who we are"

# The memory map that the loader was given, for the host's side of this test to judge.
dmesg | sed -n 's/.*BIOS-e820: \[mem \(0x[0-9a-f]*\)-\(0x[0-9a-f]*\)\] \(.*\)/# e820 \1 \2 \3/p'

# Glasshouse lies in the reserved ranges between 1 MiB and 3 GiB: Bochs' firmware has none there.
hole=$(sed -n 's/^\([0-9a-f]*\)-\([0-9a-f]*\) : Reserved$/\1 \2/p' /proc/iomem |
	awk 'length($1) == 8 && $1 >= "00100000" && $2 < "c0000000"')
ok '[ -n "$hole" ]' "RAM is reserved"
echo "$hole" | sed 's/^/# hole /'
dmesg -c >/tmp/before
ok 'echo "$hole" | { while read -r range; do hole $range || exit 1; done; }' \
	"it reads as all ones, and writes change nothing"
ok "hole 9a000 9efff" "so it is with the log in conventional memory"
ok "faults" "page faults have their error code and address"
ok "spawn 50" "processes come and go on each CPU"
is "$(each_cpu sh -c 'echo $((6 * 7))' | sort -u)" 42 "and each CPU still computes"
dmesg | grep -iE 'bug|oops|stall|lockup|unhandled|mce' | sed 's/^/# /'
is "$(dmesg | grep -ciE 'bug|oops|stall|lockup|unhandled|mce')" 0 "the kernel has no complaint"
