# SPDX-License-Identifier: MIT
"""What Glasshouse emulates behaves like the CPU: the same guest natively and under Glasshouse."""
import pytest

import harness
import mkiso

IMAGE = mkiso.BUILD / "guest" / "arch.img"
SKYLAKE = "corei7_skylake_x"
TICKS = 1_000_000_000  # five times the need; if the emulation is wrong, the guest may never end


def boot(name, opts, cmdline="x", cpus=1):
    """Boots the guest; natively if `opts` is None."""
    spec = mkiso.native(IMAGE, cmdline, None) if opts is None else \
        mkiso.glasshouse(opts, IMAGE, cmdline, None)
    return harness.boot(f"arch-{name}", spec, SKYLAKE, cpus, memory=256, ticks=TICKS,
                        ignore_bad_msrs=False)


def names(run):
    """Waits for the guest's end; asserts that all its tests passed. Returns their names."""
    assert run.wait() == "power-off"
    return run.results()


def test_as_native():
    """The same tests pass natively and with more exits. test_models.py runs them without options."""
    harness.same(names(boot("native", None)), names(boot("all-exits", "icept=pf icr=trap")))


def test_triple_fault():
    """A fault during a page fault, and a fault during the double fault; Glasshouse delivers each."""
    run = boot("triple", "icept=pf", "end=triple")
    assert run.wait() == "reset"
    assert run.results() and "# triple fault" in run.text
    assert "triple fault at RIP" in run.log("com2.log")


@pytest.mark.parametrize("opts", [None, ""])
def test_race(opts):
    """Another CPU changes the descriptor of a task while it is entered: the guest gets its fault, or the task."""
    run = boot("race-native" if opts is None else "race", opts, "race=1", 2)
    assert run.wait() == "power-off"
    assert run.results()
