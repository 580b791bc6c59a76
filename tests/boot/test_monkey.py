# SPDX-License-Identifier: MIT
"""The monkey: seeded random guests that try to crash Glasshouse.

SEED= and EXITS= in the environment choose another seed and the total number of exits: see `make soak`.
"""
import collections
import os
import re
from dataclasses import dataclass

import pytest

import harness
import mkiso
from words import VIRT_OFF

IMAGE = mkiso.BUILD / "guest" / "monkey.img"
SKYLAKE = "corei7_skylake_x"
SEED = int(os.environ.get("SEED") or 1)
EXITS = int(os.environ.get("EXITS") or 2_000_000)


@dataclass
class Monkey:
    """One run: its machine, its share of all exits in percent, the minimum number of exits per action."""

    name: str
    percent: int
    per_action: float
    model: str = SKYLAKE
    cpus: int = 1
    waiting: int = 0  # CPUs that the guest starts at its end: until then, INIT and SIPI are intercepted
    words: str = ""
    opts: str = ""


# Only one run logs to COM2 too: there a line costs as much as a thousand exits.
E9 = "console=e9"
RUNS = [
    Monkey("skylake", 25, 9.8),
    Monkey("skylake-init", 10, 12.3, cpus=2, waiting=1, words="init=1 late=1", opts=E9),
    Monkey("skylake-4", 14, 10, cpus=4, words="apic=x2 init=1", opts=f"{E9} icr=trap icept=pf"),
    Monkey("haswell", 13, 9.8, "corei7_haswell_4770", 2, opts=E9),
    Monkey("arrandale", 25, 9.3, "corei5_arrandale_m520", opts=E9),
    Monkey("tiger-lake", 13, 9.7, "tigerlake", 2, words="apic=x2", opts=E9),
]
assert sum(run.percent for run in RUNS) == 100

# The share of test_tables in percent, beside the others'; the minimum number of exits per action.
TABLES_PERCENT = 3
TABLES_PER_ACTION = 7

# The minimum number of kinds of exits in a run, and the maximum share of one kind.
KINDS = 20
SHARE = 0.35


def exits(log):
    """The number of exits of each kind, from Glasshouse's log."""
    counts, wanted = collections.Counter(), 0
    for total, line in re.findall(r"^exits: vcpu \d+ (?:total (\d+)|and)(.*)$", log, re.M):
        wanted += int(total or 0)
        counts.update({name: int(n) for name, n in re.findall(r" ([A-Z_]+) (\d+)", line)})
    assert sum(counts.values()) == wanted, "the counts of the kinds of exits do not add up to the total"
    return counts


def boot(name, spec, model, cpus):
    """Boots a machine with 256 MiB and enough time for EXITS exits."""
    run = harness.boot(name, spec, model, cpus, 256, ticks=20 * EXITS * 1000, ignore_bad_msrs=False)
    run.deadline += harness.SECONDS * (EXITS // 2_000_000)
    return run


def check_log(log):
    """The log has no defect, and Glasshouse's code is unchanged."""
    assert "defect of Glasshouse" not in log
    assert "Glasshouse's code and constants are unchanged" in log


@pytest.mark.parametrize("number", range(len(RUNS)), ids=[run.name for run in RUNS])
def test_survives(number):
    """The guest runs to its end, and Glasshouse then still works and powers the machine off."""
    this = RUNS[number]
    wanted = -(-EXITS * this.percent // 100)
    actions = int(wanted / this.per_action / this.cpus) + 1
    seed = SEED + 1000 * number
    print(f"seed {seed} (SEED={SEED} EXITS={EXITS}), {actions} actions on each of {this.cpus} CPUs")
    spec = mkiso.glasshouse(this.opts, IMAGE, f"cpus={this.cpus} seed={seed} n={actions} {this.words}",
                            None)
    run = boot(f"monkey-{this.name}", spec, this.model, this.cpus + this.waiting)
    assert run.wait() == "power-off"
    assert run.results()
    log = run.log("glasshouse.log")
    counts = exits(log)
    total = sum(counts.values())
    print(f"{total} exits")
    print("kinds: " + " ".join(f"{name} {n}" for name, n in counts.most_common()))
    assert total >= wanted, f"only {total} exits of {wanted}"
    assert len(counts) >= KINDS, f"only {len(counts)} kinds of exits"
    name, most = counts.most_common(1)[0]
    assert most <= SHARE * total, f"{most} of {total} exits are {name}"
    check_log(log)
    if this.waiting:
        assert f"All {this.cpus + this.waiting} CPUs run: IPIs no longer exit." in log


def test_tables():
    """Random page tables that change all the time, where Glasshouse makes shadow page tables of them.

    The debug build checks each entry that it writes, and now and then all of them: shadow/check.c.
    """
    wanted = EXITS * TABLES_PERCENT // 100
    actions = int(wanted / TABLES_PER_ACTION) + 1
    spec = mkiso.glasshouse(f"{E9} ept=off", IMAGE, f"cpus=1 seed={SEED} n={actions} tables=1", None)
    spec.first.path = mkiso.BUILD / "debug" / "glasshouse.elf"
    run = boot("monkey-tables", spec, SKYLAKE, 1)
    assert run.wait() == "power-off"
    assert run.results()
    log = run.log("glasshouse.log")
    total = sum(exits(log).values())
    print(f"{total} exits, {actions} actions")
    assert total >= wanted, f"only {total} exits of {wanted}"
    outcomes = re.search(r"^page faults: vcpu 0 fixed (\d+) reflected (\d+) emulated (\d+)", log, re.M)
    assert min(int(n) for n in outcomes.groups()) > total // 500, outcomes[0]
    check_log(log)


@pytest.mark.parametrize("model, opts, words", [
    (SKYLAKE, "", ""),
    (SKYLAKE, f"{E9} icept=pf icr=trap", ""),
    ("corei5_arrandale_m520", E9, ""),
    ("tigerlake", E9, "apic=x2"),
    # Without EPT, going to another mode and back takes longer.
    pytest.param(SKYLAKE, "ept=off", "patience=100000", marks=pytest.mark.soak),
], ids=["skylake", "skylake-icept", "arrandale", "tiger-lake-x2apic", "without-ept"])
def test_sweep(request, model, opts, words):
    """All actions once, in order, in every CPU mode; see guests/monkey/sweep.c."""
    spec = mkiso.glasshouse(opts, IMAGE, f"cpus=1 seed={SEED} n=1000 sweep=2 {words}", None)
    run = boot(f"sweep-{request.node.callspec.id}", spec, model, 1)
    assert run.wait() == "power-off"
    for name in run.results():
        print(name)
    log = run.log("glasshouse.log")
    assert exits(log)["TASK_SWITCH"], "no task switch has exited"
    check_log(log)


def test_sweep_natively():
    """The guest also survives natively, so its actions do not end the machine by themselves."""
    run = boot("sweep-native", mkiso.native(IMAGE, "cpus=1 seed=1 n=1000 sweep=2", None), SKYLAKE, 1)
    assert run.wait() == "power-off"
    assert run.results()


def test_leaves():
    """Glasshouse refuses many wrong requests to leave, and obeys a right one, while other CPUs cause exits."""
    spec = mkiso.glasshouse("", IMAGE, f"cpus=3 seed={SEED} n=500 leave=300", None)
    run = boot("monkey-leave", spec, SKYLAKE, 3)
    assert run.wait() == "power-off"
    assert "no hypervisor answers CPUID" in run.results()
    log = run.log("glasshouse.log")
    assert "vCPU 0 asked Glasshouse to leave: the guest's 3 CPUs continue without it" in log
    assert "power off" not in log, "Glasshouse saw the power-off: it was still there"


@pytest.mark.parametrize("how, words", [
    ("triple", "vCPU 1: triple fault at RIP"),
    ("port64", "vCPU 1: reset by the keyboard controller."),
])
def test_ends(how, words):
    """One CPU resets the machine while another causes exits: the machine is reset, as hardware would be."""
    spec = mkiso.glasshouse("", IMAGE, f"cpus=2 seed={SEED} n=400 end={how}", None)
    run = boot(f"monkey-{how}", spec, SKYLAKE, 2)
    assert run.wait() == "reset"
    assert "# the end: " in run.text
    log = run.log("glasshouse.log")
    assert words in log and VIRT_OFF in log
    assert exits(log)
    check_log(log)
