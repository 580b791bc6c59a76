# SPDX-License-Identifier: MIT
"""What only resets the CPU on a PC, and A20: the guest stays under Glasshouse, or the machine is reset."""
import pytest

import harness
import mkiso

WARM = mkiso.BUILD / "guest" / "warm.img"


@pytest.mark.parametrize("opts, cpus", [
    ("", 1), ("ept=off", 1), ("icr=trap", 2), pytest.param("ept=off icr=trap", 2, marks=pytest.mark.soak),
    pytest.param("", 2, marks=pytest.mark.needs("INIT exits"))])
def test_warm_resets(opts, cpus):
    """By the shutdown code in the CMOS RAM the BIOS returns to the guest, which is under Glasshouse still.

    A: keyboard controller FEh, B: its output port, C: port 92h, D: the same by a 16-bit OUT, E: triple fault. After the
    last, F, by port CF9h, Glasshouse is gone; so the BIOS starts the machine. A20 stays on all the time, and port 92h
    says so. A second CPU, which runs before each reset, waits for a SIPI afterwards, and starts by one.
    """
    spec = mkiso.Boot(mkiso.Entry(mkiso.ELF, opts), [mkiso.Entry(WARM, "raw addr=0x7c00 cs=0x7c0")])
    run = harness.boot(f"warm-resets-{opts}-{cpus}", spec, cpus=cpus, memory=64, ignore_bad_msrs=False)
    assert run.wait() == "reset"
    a20, _, resets = run.text.partition("\na20: ")[2].partition("\nresets: ")
    assert a20.split() == ["21"] * 5
    # Bochs 3.0 loses what comes last before a reset: the line's colon and space.
    resets, _, last = resets.partition("\nlast")
    assert resets.split() == [f"{way}A:Ru0s{'m' if cpus == 2 else 's'}" for way in "ABCDE"] + ["FA:"]
    assert not last.strip(": ")
    said = run.log("com2.log")
    for by in ("the keyboard controller", "port 92h", "a triple fault"):
        assert f"reset by {by}." in said
    assert "panics" not in said
