# SPDX-License-Identifier: MIT
"""Guests in protected mode without paging, and in real mode, on CPUs that cannot run them: without EPT.

test_models.py runs the other guests on CPUs without EPT, or without unrestricted guest.
"""
import harness
import mkdisk
import mkiso
import test_disk

PENRYN = "core2_penryn_t9600"


def test_boot_loader():
    """GRUB on a disk: the BIOS reads it; it goes between real and protected mode for each call of the BIOS,
    and starts a guest by Linux' 32-bit protocol."""
    pair = mkiso.grub_cfg(mkiso.native(test_disk.CONFORMANCE, "cpus=1", None))
    disk = mkdisk.make_disk(harness.FOLDER / "loader.img", *pair)
    run = harness.boot("loader-without-ept", test_disk.glasshouse("boot=hd1 ept=off"), ignore_bad_msrs=False,
                       second=disk)
    assert run.wait() == "power-off"
    assert "# conformance under Glasshouse" in run.text
    assert run.results()
    assert "not emulated on this CPU" not in run.log("com2.log")


def test_without_paging():
    """A flat binary in 32-bit mode, on a CPU without EPT."""
    words = "raw addr=0x10000 entry=0x10180 mode=32"
    run = harness.boot("flat-without-ept", test_disk.glasshouse("", test_disk.SECTOR, words), PENRYN)
    assert run.wait() == "power-off"
    assert run.results() == ["32-bit"]
