# SPDX-License-Identifier: MIT
"""What Glasshouse does by hand is as the CPU does it: one guest, natively and under Glasshouse."""
import harness
import mkiso

IMAGE = mkiso.BUILD / "guest" / "arch.img"
SKYLAKE = "corei7_skylake_x"
TICKS = 1_000_000_000  # five times what it needs; without a rule that it tests, it may never end


def boot(name, opts, cmdline="x"):
    """Boots the guest, natively where `opts` is None."""
    spec = mkiso.native(IMAGE, cmdline, None) if opts is None else \
        mkiso.glasshouse(opts, IMAGE, cmdline, None)
    return harness.boot(f"arch-{name}", spec, SKYLAKE, memory=256, ticks=TICKS,
                        ignore_bad_msrs=False)


def names(run):
    """The names of the guest's tests, all passed."""
    assert run.wait() == "power-off"
    return run.results()


def test_as_native():
    """The same tests pass natively and where more exits; test_models.py has them without options."""
    native = names(boot("native", None))
    assert names(boot("all-exits", "icept=pf icr=trap")) == native


def test_triple_fault():
    """A page fault that meets one, whose double fault meets one, each of which Glasshouse delivers."""
    run = boot("triple", "icept=pf", "end=triple")
    assert run.wait() == "reset"
    assert run.results() and "# triple fault" in run.text
    assert "triple fault at RIP" in run.log("com2.log")
