# SPDX-License-Identifier: MIT
"""Boots with SeaBIOS instead of Bochs' own BIOS: it leaves IA32_FEATURE_CONTROL unlocked."""
import re

import bochs
import harness
import mkiso
import test_disk

CONFORMANCE = mkiso.BUILD / "guest" / "conformance.img"
UNLOCKED = "CPU 0: IA32_FEATURE_CONTROL was unlocked: Glasshouse has allowed VMXON and locked it."


def test_types_above_ram():
    """Memory that no map describes has the type of the firmware's MTRRs, in Bochs' BIOS write-back."""
    spec = mkiso.glasshouse("", mkiso.BUILD / "guest" / "bench.img", "", None)
    run = harness.boot("types-above-ram", spec)
    run.wait()
    assert re.findall(r"first access to (\w+), which the memory map does not describe: mapped ([\w-]+), as the MTRRs "
                      "say", run.log("com2.log"))[0] == ("100000000", "write-back")


def boot(name, spec, second=None):
    """Boots under SeaBIOS, without the debugger stops of bochs.script(), which need Bochs' own BIOS."""
    commands = f"sba {harness.TICKS}\nc\nptime\nq\n"
    return harness.boot(f"seabios-{name}", spec, memory=128, ignore_bad_msrs=False, commands=commands,
                        second=second, bios=bochs.SEABIOS)


def test_unlocked():
    """Glasshouse enables VMXON, locks the register and logs it; a guest runs as on other firmware."""
    run = boot("conformance", mkiso.glasshouse("", CONFORMANCE, "cpus=1", None))
    assert run.wait() == "power-off"
    assert run.results()
    assert UNLOCKED in run.text
    assert "IA32_FEATURE_CONTROL 0x5: locked, VMXON allowed" in run.text


def test_in_place():
    """Glasshouse reads a disk's boot sector by this BIOS' services and starts it."""
    disk = test_disk.disk_of("seabios", test_disk.SECTOR.read_bytes())
    run = boot("sector", test_disk.glasshouse("boot=hd1"), disk)
    assert run.wait() == "power-off"
    assert run.results()
    assert test_disk.hexadecimal(run.text, "start")[0][:3] == [0x7c00, 0, 0x81]
    assert UNLOCKED in run.text
