# SPDX-License-Identifier: MIT
"""Long tests under KVM: Linux with 2 CPUs, on 2 emulated CPUs, its reboot, a newer CPU. `make soak` runs it."""
import pytest

import words

pytestmark = pytest.mark.soak

# With fewer emulated CPUs than the guest has, one that waits with interrupts disabled keeps the other
# from running: Bochs lets no interrupt through to KVM then.
TWO = pytest.mark.parametrize("outer", [{"cpus": 2}], indirect=True, ids=["2-cpus"])
SECONDS = 1800


@pytest.mark.parametrize("outer", [{"model": "corei7_skylake_x"}], indirect=True, ids=["skylake_x"])
def test_conforms(outer):
    """Every test of the conformance guest passes on a newer CPU, too."""
    outer.kvm()
    assert outer.machine("conformance", "cpus=1").results()


@TWO
@pytest.mark.parametrize("entry", ["linux", "linux, icr=trap"])
def test_linux(outer, entry):
    """Debian's Linux on both CPUs: userland, and its power-off."""
    outer.kvm()
    run = outer.machine(entry, "gh.cpus=2", 2, SECONDS)
    assert run.results()
    assert ("All 2 CPUs run: IPIs no longer exit." in run.log) == (entry == "linux")


@TWO
@pytest.mark.parametrize("entry", ["hotplug", "hotplug, icr=trap"])
def test_hotplug(outer, entry):
    """The second CPU goes offline and comes online again, three times: by INIT exits where INIT is not trapped."""
    outer.kvm()
    run = outer.machine(entry, "gh.cpus=2", 2, SECONDS)
    assert run.results()
    assert (" INIT_SIGNAL " in run.log) == (entry == "hotplug")


def test_reboot(outer):
    """The guest's reset resets the machine, which boots again as before, and finds the log."""
    outer.kvm()
    run = outer.machine("reboot", "gh.cpus=1", 1, SECONDS, reboots=True)
    assert run.results()
    ended = "--- The boot before this one ended with: ---"
    first, _, second = run.text.partition("first boot: under Glasshouse")
    assert ended not in first
    last, end, _ = second.partition(ended)[2].partition("--- End ---")
    assert end and words.VIRT_OFF in last
