# SPDX-License-Identifier: MIT
"""CPUs that nobody has named: no ACPI table, and no firmware."""
import harness
import mkiso
from mkiso import Boot, Entry

UNNAMED = mkiso.BUILD / "guest" / "unnamed.img"


def test_unnamed():
    """GRUB hides the MADT: Glasshouse uses the boot CPU only, and the guest's INIT and SIPI start no other one natively."""
    text, files = mkiso.grub_cfg(Boot(Entry(mkiso.ELF), [Entry(UNNAMED, "linux")]))
    iso = mkiso.write_iso(harness.FOLDER / "unnamed.iso", "acpi --exclude=APIC\n" + text, files, ["multiboot2", "acpi"])
    run = harness.boot("unnamed", iso, cpus=2)
    assert run.wait() == "power-off"
    assert "no table APIC (MADT) lists a CPU; only the boot CPU is known" in run.text
    assert run.results()
