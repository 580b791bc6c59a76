# SPDX-License-Identifier: MIT
"""Glasshouse leaves a running Linux, which has the bare machine from then on."""
import pytest

import harness
import mkiso


@pytest.mark.parametrize("cpus", [1, 2])
def test_leaves(cpus):
    """By VMCALL from a kernel module: native CPUID, interrupts, hotplug and power-off afterwards."""
    spec = harness.linux("leave", "", f"gh.cpus={cpus}",
                         initrd=mkiso.BUILD / "guest" / "leave.img")
    run = harness.boot(f"leave-{cpus}", spec, cpus=cpus)
    assert run.wait() == "power-off"
    assert run.results()
    ours = run.log("glasshouse.log")
    assert f"asked Glasshouse to leave: the guest's {cpus} CPUs go on without it" in ours
    assert "power off" not in ours, "Glasshouse saw the power-off: it was still there"
