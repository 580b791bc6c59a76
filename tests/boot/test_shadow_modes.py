# SPDX-License-Identifier: MIT
"""Guests in protected mode without paging, and in real mode, on CPUs that cannot run them: without EPT.

test_models.py runs the other guests on CPUs without EPT, or without unrestricted guest.
"""
import harness
import test_disk

PENRYN = "core2_penryn_t9600"


def test_without_paging():
    """A flat binary in 32-bit mode, on a CPU without EPT."""
    words = "raw addr=0x10000 entry=0x10180 mode=32"
    run = harness.boot("flat-without-ept", test_disk.glasshouse("", test_disk.SECTOR, words), PENRYN)
    assert run.wait() == "power-off"
    assert run.results() == ["32-bit"]
