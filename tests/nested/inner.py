# SPDX-License-Identifier: MIT
"""The inner machines: the menu of their one ISO. A test sets $words."""
import bochs
import harness
import mkiso

# What a guest of KVM finds without Glasshouse, too: CPUID.1:ECX[31] set, and 152 KiB at the end of RAM that
# SeaBIOS has reserved for the tables that QEMU gives it and for its virtio drives.
# KVM emulates the local APIC, but no FPU or vector store to it.
NATURAL = "hypervisor=1 firmware=152 fpustores=no"
LINUX_NATURAL = "gh.hypervisor=1 gh.firmware=152"

# While the local APIC is trapped, Glasshouse sends the NMIs itself. Bochs 2.7 then keeps them blocked in KVM's
# guest, Bochs 3.0 does not.
NMIS_OF_ROOT_MODE = "" if bochs.version() >= (3, 0) else "nmi=no"

# Linux with a timer that goes on when its interrupt is not taken, so that each CPU exits to KVM at every tick. Bochs
# lets no other interrupt through to KVM while a guest waits that was entered with interrupts disabled.
PERIODIC = "lapic=notscdeadline nohz=off highres=off"

CONFORMANCE, MONKEY = (mkiso.BUILD / "guest" / f"{name}.img" for name in ("conformance", "monkey"))

MENU = {
    "conformance": mkiso.glasshouse("", CONFORMANCE, f"{NATURAL} $words", None),
    "monkey": mkiso.glasshouse("console=e9", MONKEY, f"{NATURAL} $words", None),
    "linux": harness.linux("basic", "", f"{LINUX_NATURAL} $words"),
    "linux, icr=trap": harness.linux("basic", "icr=trap", f"{LINUX_NATURAL} $words"),
    "hotplug": harness.linux("hotplug", "", f"{LINUX_NATURAL} {PERIODIC} $words"),
    "hotplug, icr=trap": harness.linux("hotplug", "icr=trap", f"{LINUX_NATURAL} {PERIODIC} $words"),
    "reboot": harness.linux("reboot", "", f"{LINUX_NATURAL} $words"),
}
