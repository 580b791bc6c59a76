# SPDX-License-Identifier: MIT
"""What Glasshouse may cost, in ticks on Bochs' skylake_x: see tests/bench/bench.py."""
import sys
from pathlib import Path

import pytest

import mkiso

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

import bench  # noqa: E402  pylint: disable=wrong-import-position

GUEST = mkiso.BUILD / "guest" / "bench.img"

# Ratios to native, by number of CPUs.
BOOT = {1: 1.001, 2: 1.005}
FORK_EXEC = 1.012
FLAT = 1.001
START = 10_000_000  # ticks from our entry to the guest's first instruction
EXITS_TO_INIT = 1000
IMAGE = 256 << 10


def test_round_trips():
    """CPUID and a trapped RDMSR, there and back; the first touch of a device that nobody described."""
    ticks = bench.guest(mkiso.glasshouse("", GUEST, "", None), "budget-guest").ticks
    assert ticks["cpuid"] <= 110
    assert ticks["rdmsr"] <= 130
    assert ticks["first-touch"] <= 400


def test_vmcs_accesses():
    """VMREADs and VMWRITEs of a CPUID exit, which are most of its cost on a real CPU."""
    reads, writes = bench.vmcs_accesses()["CPUID"]
    assert 3 <= reads < 6.05 and 1 <= writes < 1.05, (reads, writes)  # some leaves show bits of CR4


def boot_both(cpus, attempt):
    """The figures of Debian's kernel and first process natively and under Glasshouse."""
    cmdline = f"{bench.LINUX} gh.attempt={attempt}"
    native = bench.linux(mkiso.native(cmdline=cmdline), f"budget-native-{cpus}-{attempt}", cpus)
    ours = bench.linux(mkiso.glasshouse("", cmdline=cmdline), f"budget-{cpus}-{attempt}", cpus)
    return ours, {name: ours.ticks[name] / native.ticks[name] for name in native.ticks if native.ticks[name]}


@pytest.mark.parametrize("cpus", [1, 2])
def test_linux(cpus):
    """Debian's kernel to its first process, and what processes do, against the same without Glasshouse.

    With two CPUs a worker of the kernel runs beside its boot or in its way, natively too, which is a tenth of the
    boot. Two boots that differ in this, either way, say nothing of the cost: then both are made again.
    """
    for attempt in range(3):
        ours, ratio = boot_both(cpus, attempt)
        print(ratio)
        if abs(ratio["boot"] - 1) <= BOOT[cpus] - 1:
            break
    assert ours.start <= START
    assert ratio["boot"] <= BOOT[cpus], ratio
    if cpus > 1:
        return  # which CPU wakes which, and when, is no matter of cost
    assert ratio["fork-exec"] <= FORK_EXEC, ratio
    for name in ("getpid", "page-fault", "pipe"):
        assert ratio[name] <= FLAT, (name, ratio)


def test_exits():
    """Linux comes to its first process with few exits, and none for what goes on all the time."""
    exits = bench.exits_to_init()
    assert sum(exits.values()) <= EXITS_TO_INIT, exits
    # Of ports only those that reset and switch off exit: the keyboard controller's, mostly.
    assert exits.pop("IO_INSTRUCTION", 0) <= 200, exits
    assert set(exits) <= {"CPUID", "MSR_READ", "MSR_WRITE", "XSETBV", "CR_ACCESS"}, exits
    assert exits.get("CR_ACCESS", 0) <= 10, exits


def test_image_size():
    """Text and data."""
    assert bench.image_size() <= IMAGE
