# SPDX-License-Identifier: MIT
"""CPUs that nobody has named: no ACPI table, and no firmware. And one that is named and not there, with an APIC ID above 254."""
import re

import harness
import mkacpi
import mkiso
from mkiso import Boot, Entry

CONFORMANCE = mkiso.BUILD / "guest" / "conformance.img"
UNNAMED = mkiso.BUILD / "guest" / "unnamed.img"


def boot(name, command, guest, tables):
    """Boots a guest with 2 CPUs after this command of GRUB; `tables` are files for it. Missing MSRs raise #GP."""
    text, files = mkiso.grub_cfg(Boot(Entry(mkiso.ELF), [Entry(*guest)]))
    iso = mkiso.write_iso(harness.FOLDER / f"{name}.iso", command + "\n" + text, files | tables, ["multiboot2", "acpi"])
    return harness.boot(name, iso, cpus=2, ignore_bad_msrs=False)


def ticks(log, words):
    """When Bochs logged these words."""
    return [int(tick) for tick in re.findall(rf"^(\d+).*{re.escape(words)}", log, re.M)]


def test_unnamed():
    """GRUB hides the MADT: Glasshouse uses the boot CPU only, and the guest's INIT and SIPI start no other one natively."""
    run = boot("unnamed", "acpi --exclude=APIC", (UNNAMED, "linux"), {})
    assert run.wait() == "power-off"
    assert "no table APIC (MADT) lists a CPU; only the boot CPU is known" in run.text
    assert run.results()


def test_high_apic_id():
    """GRUB brings a MADT that lists a third CPU, whose APIC ID only x2APIC mode can address: Glasshouse switches it on,
    starts the second CPU, says that the third does not answer, and keeps the guest from starting it."""
    table = harness.FOLDER / "high-apic-id.aml"
    table.write_bytes(mkacpi.madt(2, [300]))
    run = boot("high-apic-id", f"acpi --exclude=APIC /boot/{table.name}",
               (CONFORMANCE, "linux cpus=2 apic=x2"), {table.name: table})
    assert run.wait() == "power-off"
    assert "The local APICs are in x2APIC mode: some CPUs have APIC IDs above 254." in run.text
    assert "CPU 1: ready" in run.text
    assert "CPU 2 (APIC ID 300) does not answer INIT and SIPI" in run.text
    assert run.results()
    assert "IPIs no longer exit" not in run.log("com2.log")
    # The guest comes 60,000,000 ticks later, as Glasshouse gives the third CPU a second.
    log = run.log("bochs.log")
    started = ticks(log, "CPU 1 started up")[-1]
    assert ticks(log, "allocate APIC id=0 (MMIO disabled)")[0] < started
    assert 0 < ticks(log, "allocate APIC id=1 (MMIO disabled)")[0] - started < 1000000
