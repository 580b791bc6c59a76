# SPDX-License-Identifier: MIT
"""What Glasshouse does by hand is as the CPU does it: one guest, natively and under Glasshouse."""
import pytest

import harness
import mkiso

IMAGE = mkiso.BUILD / "guest" / "arch.img"
SKYLAKE = "corei7_skylake_x"


def arch(name, spec, model=SKYLAKE):
    """Boots the guest and returns the names of its tests, all passed."""
    run = harness.boot(f"arch-{name}", spec, model, memory=256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    return run.results()


@pytest.mark.parametrize("model", [SKYLAKE, "corei5_arrandale_m520", "tigerlake"])
def test_as_native(model):
    """The same tests pass in both."""
    native = arch(f"native-{model}", mkiso.native(IMAGE, "x", None), model)
    assert arch(model, mkiso.glasshouse("", IMAGE, "x", None), model) == native
