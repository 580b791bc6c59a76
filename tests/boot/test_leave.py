# SPDX-License-Identifier: MIT
"""Glasshouse leaves a running Linux, which then runs on the bare machine."""
import pytest

import harness
import mkiso


@pytest.mark.parametrize("cpus, opts", [(1, ""), (2, "monitor=com1")])
def test_leaves(cpus, opts):
    """A kernel module asks by VMCALL. Afterwards CPUID, interrupts, hotplug, power-off and the console are native."""
    spec = harness.linux("leave", opts, f"gh.cpus={cpus}",
                         initrd=mkiso.BUILD / "guest" / "leave.img")
    run = harness.boot(f"leave-{cpus}", spec, cpus=cpus)
    assert run.wait() == "power-off"
    assert run.results()
    ours = run.log("glasshouse.log")
    assert f"asked Glasshouse to leave: the guest's {cpus} CPUs continue without it" in ours
    assert "power off" not in ours, "Glasshouse saw the power-off: it was still there"


def test_refuses():
    """Glasshouse refuses while a CPU is in 32-bit mode, blocks NMIs or has its local APIC off, or if two CPUs ask."""
    spec = mkiso.glasshouse("icr=trap", mkiso.BUILD / "guest" / "conformance.img",
                            "cpus=3 leave=1", None)
    run = harness.boot("leave-refused", spec, cpus=3, memory=256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert "nor while a CPU has NMIs blocked" in run.results()
    words = run.log("glasshouse.log")
    assert "was refused: a CPU is not in 64-bit mode" in words
    assert "was refused: NMIs are blocked" in words
    assert "was refused: its local APIC is off" in words
    assert "was refused: not all CPUs stopped in time" in words
