#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make run-qemu: boots build/glasshouse.iso in QEMU on this terminal.

QEMU emulates no VT-x itself; with KVM it hands on the machine's own, where nesting is on.
"""
import os
import sys
from pathlib import Path

from run import mkiso, number

# KVM with the machine's own CPU. vapic=off: QEMU otherwise watches how the guest accesses the local
# APIC's task priority, and setting the registers that it finds then changes CR4 under a nested guest.
KVM = ["-accel", "kvm", "-cpu", "host", "-global", "kvm-apic.vapic=off"]

NESTED = Path("/sys/module/kvm_intel/parameters/nested")


def obstacle():
    """Why there is no VT-x for a guest of this machine's, or None."""
    if " vmx" not in Path("/proc/cpuinfo").read_text():
        return ("this machine's CPU shows no VT-x (no 'vmx' in /proc/cpuinfo); on a PC, switch it on "
                "in the firmware's set-up")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is not there or not yours: modprobe kvm_intel, join the group kvm"
    if not NESTED.exists() or NESTED.read_text().strip() not in ("1", "Y"):
        return (f"KVM does not hand VT-x on to guests ({NESTED} is not Y): "
                "modprobe -r kvm_intel; modprobe kvm_intel nested=1")
    return None


def main():
    """Replaces this process with QEMU."""
    cpus, memory = number("CPUS", 2, 1, 255, "CPUs"), number("MEM", 512, 128, 1 << 20, "MiB")
    why_not = obstacle()
    if why_not:
        print(f"""\
There is no VT-x for QEMU to hand on: {why_not}.
What follows is Glasshouse on QEMU's own CPU, which it refuses. `make run` has VT-x anywhere.
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
