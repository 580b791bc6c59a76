# SPDX-License-Identifier: MIT
"""Page tables do what the SDM says, and the same natively and under Glasshouse: guests/paging."""
import pytest

import harness
import mkiso

IMAGE = mkiso.BUILD / "guest" / "paging.img"
SKYLAKE = "corei7_skylake_x"


def boot(name, opts, cmdline="x", cpus=1, model=SKYLAKE):
    """Boots the guest; natively if `opts` is None. Waits for its end; all its tests have to pass. Returns their names."""
    spec = mkiso.native(IMAGE, cmdline, None) if opts is None else \
        mkiso.glasshouse(opts, IMAGE, cmdline, None)
    long = "deep=1" in cmdline
    run = harness.boot(f"paging-{name}", spec, model, cpus, memory=256, ignore_bad_msrs=False,
                       ticks=harness.TICKS * (10 if long else 1))
    run.deadline += harness.SECONDS * (4 if long else 0)
    assert run.wait() == "power-off"
    return run.results()


def test_as_native():
    """Rights, flags and changes of page tables: the CPU's answers are the same, to the checksum."""
    native = boot("native", None)
    harness.same(native, boot("ept", ""))
    harness.same(native, boot("shadow", "ept=off"))


def test_keys():
    """The same with shadow page tables on a CPU that has protection keys."""
    native = boot("native-keys", None, model="tigerlake")
    assert any("protection keys" in name for name in native)
    harness.same(native, boot("shadow-keys", "ept=off", model="tigerlake"))


@pytest.mark.parametrize("cpus", [2, 4])
def test_cpus(cpus):
    """One CPU changes tables that the others use: nothing is lost, natively and under Glasshouse."""
    words = f"cpus={cpus}"
    native = boot(f"native-{cpus}", None, words, cpus)
    harness.same(native, boot(f"ept-{cpus}", "", words, cpus))
    harness.same(native, boot(f"shadow-{cpus}", "ept=off", words, cpus))


@pytest.mark.soak
def test_deep():
    """All combinations of rights, and many more changes, on a CPU with protection keys, too."""
    for model in (SKYLAKE, "tigerlake"):
        words = "deep=1 steps=1000000"
        native = boot(f"deep-native-{model}", None, words, 1, model)
        harness.same(native, boot(f"deep-{model}", "", words, 1, model))
        harness.same(native, boot(f"deep-shadow-{model}", "ept=off", words, 1, model))
