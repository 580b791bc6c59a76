# SPDX-License-Identifier: MIT
"""Guests in protected mode without paging, and in real mode, on CPUs that cannot run them: without EPT.

test_models.py runs the other guests on CPUs without EPT, or without unrestricted guest.
"""
import re

import harness
import mkdisk
import mkiso
import test_disk

PENRYN = "core2_penryn_t9600"


def test_boot_loader():
    """GRUB on a disk: the BIOS reads it; it goes between real and protected mode for each call of the BIOS,
    and starts a guest by Linux' 32-bit protocol. That starts a CPU with what is not emulated: it stays stopped."""
    pair = mkiso.grub_cfg(mkiso.native(test_disk.CONFORMANCE, "cpus=1 strange=1", None))
    disk = mkdisk.make_disk(harness.FOLDER / "loader.img", *pair)
    run = harness.boot("loader-without-ept", test_disk.glasshouse("boot=hd1 ept=off icr=trap"), cpus=2,
                       ignore_bad_msrs=False, second=disk)
    assert run.wait() == "power-off"
    assert "# conformance under Glasshouse" in run.text
    assert run.results()
    said = re.findall(r"vCPU (\d+): in real mode at (\S+), bytes (.*): an instruction that is not emulated on this CPU "
                      r"\(no \"unrestricted guest\"\): (.*)", run.log("com2.log"))
    assert [(cpu, at.split(":")[0], what) for cpu, at, _, what in said] == \
        [("1", "900", "it stays stopped, and the guest continues without it")]
    assert said[0][2].startswith("67 0f ae 03 f4")  # FXSAVE [EBX]; HLT


def test_without_paging():
    """A flat binary in 32-bit mode, on a CPU without EPT."""
    words = "raw addr=0x10000 entry=0x10180 mode=32"
    run = harness.boot("flat-without-ept", test_disk.glasshouse("", test_disk.SECTOR, words), PENRYN)
    assert run.wait() == "power-off"
    assert run.results() == ["32-bit"]
