# SPDX-License-Identifier: MIT
"""The monkey: seeded random guests that try to bring Glasshouse down, and do not.

SEED= and EXITS= (in the environment) choose another seed, and more of it: see `make soak`.
"""
import os
import re

import pytest

import harness
import mkiso

IMAGE = mkiso.BUILD / "guest" / "monkey.img"
SKYLAKE = "corei7_skylake_x"
SEED = int(os.environ.get("SEED") or 1)
EXITS = int(os.environ.get("EXITS") or 2_000_000)

# All runs, and the exits that an action of the guest causes in each, about.
RUNS = [
    ("skylake", SKYLAKE, 1, "", ""),
    ("skylake-init", SKYLAKE, 2, "init=1", "icr=trap"),
    ("skylake-4", SKYLAKE, 4, "apic=x2 init=1", "icr=trap icept=pf"),
    ("haswell", "corei7_haswell_4770", 2, "", ""),
    ("arrandale", "corei5_arrandale_m520", 1, "", ""),
    ("tiger-lake", "tigerlake", 2, "apic=x2", ""),
]
EXITS_PER_ACTION = 5


def exits(log):
    """How many exits Glasshouse counted."""
    return sum(int(n) for n in re.findall(r"exits: vcpu \d+ total (\d+)", log))


def check_log(log):
    """No defect, and Glasshouse's own code is what it was."""
    assert "defect of Glasshouse" not in log
    assert "Glasshouse's code and constants are unchanged" in log


@pytest.mark.parametrize("number", range(len(RUNS)), ids=[run[0] for run in RUNS])
def test_survives(number):
    """The guest comes to its end, the hypervisor still answers and switches the machine off."""
    name, model, cpus, words, opts = RUNS[number]
    actions = EXITS // len(RUNS) // EXITS_PER_ACTION // cpus
    seed = SEED + 1000 * number
    print(f"seed {seed}, {actions} actions on each of {cpus} CPUs")
    spec = mkiso.glasshouse(opts, IMAGE, f"cpus={cpus} seed={seed} n={actions} {words}", None)
    run = harness.boot(f"monkey-{name}", spec, model, cpus, 256, ticks=20 * EXITS * 1000,
                       ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
    counted = exits(run.log("com2.log"))
    print(f"{counted} exits")
    assert counted >= EXITS // len(RUNS), f"only {counted} exits"
    check_log(run.log("com2.log"))


@pytest.mark.parametrize("model, opts", [
    (SKYLAKE, ""),
    (SKYLAKE, "icept=pf icr=trap"),
    ("corei5_arrandale_m520", ""),
    ("tigerlake", ""),
])
def test_sweep(model, opts):
    """Everything once in order, in every mode of the CPU; see guests/monkey/sweep.c."""
    spec = mkiso.glasshouse(opts, IMAGE, f"cpus=1 seed={SEED} n=1000 sweep=3", None)
    run = harness.boot(f"sweep-{model}-{opts}", spec, model, 1, 256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    for name in run.results():
        print(name)
    check_log(run.log("com2.log"))


def test_sweep_natively():
    """The guest survives on the machine itself, so what it does is no end by itself."""
    run = harness.boot("sweep-native", mkiso.native(IMAGE, "cpus=1 seed=1 n=1000 sweep=3", None), SKYLAKE, 1, 256,
                       ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
