#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make run-qemu: boots build/glasshouse.iso in QEMU on this terminal.

QEMU does not emulate VT-x; KVM can pass this machine's VT-x on if nesting is enabled.
"""
import os
import sys
from pathlib import Path

from run import mkiso, number

# KVM with the machine's own CPU. vapic=off: otherwise QEMU tracks the guest's accesses to the local APIC's
# task priority, and writing back the registers that it reads changes CR4 under a nested guest.
KVM = ["-accel", "kvm", "-cpu", "host", "-global", "kvm-apic.vapic=off"]

NESTED = Path("/sys/module/kvm_intel/parameters/nested")


def obstacle():
    """Why this machine cannot give a guest VT-x; or None."""
    if " vmx" not in Path("/proc/cpuinfo").read_text():
        return ("this machine's CPU has no VT-x (no 'vmx' in /proc/cpuinfo); on a PC, enable it "
                "in the firmware's setup")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is missing or not accessible; run modprobe kvm_intel, join the group kvm"
    if not NESTED.exists() or NESTED.read_text().strip() not in ("1", "Y"):
        return (f"KVM does not give VT-x to guests ({NESTED} is not Y); run "
                "modprobe -r kvm_intel; modprobe kvm_intel nested=1")
    return None


def main():
    """Replaces this process with QEMU."""
    cpus, memory = number("CPUS", 2, 1, 255, "CPUs"), number("MEM", 512, 128, 1 << 20, "MiB")
    why_not = obstacle()
    if why_not:
        print(f"""\
QEMU has no VT-x here: {why_not}.
Glasshouse will refuse QEMU's emulated CPU. `make run` emulates VT-x on any machine.
""")
    else:
        print("Glasshouse on this machine's VT-x, nested in KVM; 'poweroff' in the guest ends it.\n")
    print("Ctrl-A x ends QEMU.\n", flush=True)
    cpu = ["-accel", "tcg", "-cpu", "qemu64"] if why_not else KVM
    arguments = ["qemu-system-x86_64", *cpu, "-smp", str(cpus),
                 "-m", str(memory), "-display", "none", "-serial", "mon:stdio",
                 "-serial", f"file:{mkiso.BUILD}/run-qemu.log", "-net", "none",
                 # An IDE disk costs an exit for each word that GRUB reads: minutes, when nested.
                 "-drive", f"file={mkiso.BUILD}/glasshouse.iso,format=raw,snapshot=on,if=virtio"]
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    sys.exit(main())
