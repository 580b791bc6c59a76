#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cost of Glasshouse in ticks (emulated instructions), compared with the bare machine: `make bench`.

Ticks are exactly reproducible on every host, so tests/boot/test_budgets.py compares the figures with
budgets.
"""
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run", "tests/boot")]

import bochs  # noqa: E402  pylint: disable=wrong-import-position
import harness  # noqa: E402  pylint: disable=wrong-import-position
import mkiso  # noqa: E402  pylint: disable=wrong-import-position

MODEL = "corei7_skylake_x"

# Only what is measured: the figures depend on the size of the initramfs.
INITRD = mkiso.BUILD / "guest" / "bench-initrd.img"

# The entry of the decompressed kernel: its preferred address, as KASLR is off.
KERNEL_ENTRY = 0x1000000

# No randomisation, and no TSC calibration, whose time depends on the phase of the PIT: else two boots differ by more
# than what is measured.
LINUX = (f"{mkiso.CMDLINE} {bochs.LINUX_QUICK} tsc_early_khz={bochs.IPS // 1000} nokaslr norandmaps "
         "rdinit=/bin/bench")


@dataclass
class Figures:
    """The results of one run: the guest's figures, and the exits that Glasshouse counted per vCPU."""

    ticks: dict
    exits: list
    reasons: dict   # the exits of vCPU 0 by reason
    faults: dict    # with shadow page tables: what was done about its page faults, how often
    kept_kib: int = 0
    start: int = 0  # ticks from Glasshouse's entry to the guest's first instruction
    beats: int = 0  # of the monitor
    end: int = 0    # the tick of the machine's end


def reasons(log):
    """The exits of vCPU 0 at the guest's end, by reason, from Glasshouse's log."""
    told = re.findall(r"^exits: vcpu 0 (?:total \d+|and)((?: [A-Z_]+ \d+)+)$", log, re.M)
    return {name: int(n) for line in told for name, n in re.findall(r" ([A-Z_]+) (\d+)", line)}


def faults(log):
    """What was done about the page faults of vCPU 0, with shadow page tables: {"fixed": 123, ...}."""
    told = re.search(r"^page faults: vcpu 0((?: \w+ \d+)+)$", log, re.M)
    return {name: int(n) for name, n in re.findall(r" (\w+) (\d+)", told[1])} if told else {}


def figures(run, entry=None):
    """What a run has told. `entry`: the tick at which the kernel was entered."""
    ticks = {name: int(value) for name, value in re.findall(r"^bench (\S+) (\d+)$", run.text, re.M)}
    assert "end" in ticks, f"{run.folder.name}: the guest did not get to its end\n{run.text[-2000:]}"
    log = run.log("glasshouse.log")
    exits = [int(n) for n in re.findall(r"^exits: vcpu \d+ total (\d+)", log, re.M)]
    kept = re.search(r"^Memory hidden from the guest: (\d+) KiB", log, re.M)
    if entry is not None:
        ticks["boot"] = ticks["init"] - entry
    start = re.search(r"^The guest starts (\d+) ticks", log, re.M)
    beats = sum(int(n) for n in re.findall(r"^exits: .* PREEMPTION_TIMER (\d+)", log, re.M))
    end = re.findall(r"^(\d{9,})[a-z]\[", run.log("bochs.log"), re.M)
    return Figures(ticks, exits, reasons(log), faults(log), int(kept[1]) if kept else 0, int(start[1]) if start else 0, beats, int(end[-1]) if end else 0)


def _entry_tick(run):
    """The tick of the first stop in the first page of the kernel, not in GRUB or the decompressor."""
    stops = re.findall(r"^Next at t=(\d+)\n\(0\) \[0x0*1000[0-9a-f]{3}\] \S+ \S+ \S+ (?!cld)",
                       run.log("glasshouse.log"), re.M)
    assert stops, f"{run.folder.name}: the kernel's entry was not seen\n" + run.log("glasshouse.log")[-2000:]
    return int(stops[0])


def _kernel_stack():
    """The physical address of the kernel's first stack, from the kernel's first instruction."""
    run = harness.boot("bench-stack", mkiso.native(cmdline=LINUX, initrd=INITRD), MODEL,
                       commands=f"pb {KERNEL_ENTRY:#x}\n" + "c\n" * 2 + "q\n")
    run.wait()
    lea = re.search(r"\[0x0*1000000\].*lea rsp, ds:\[rip\+(\d+)\]", run.log("glasshouse.log"))
    assert lea, "the kernel does not begin by setting its stack\n" + run.log("glasshouse.log")[-2000:]
    return KERNEL_ENTRY + 7 + int(lea[1])


def guest(spec, name):
    """Runs guests/bench."""
    run = harness.boot(name, spec, MODEL)
    run.wait()
    return figures(run)


def vmcs_counts(cmdline=""):
    """Exits, VMREADs and VMWRITEs of guests/bench by reason, as the debug build counts them: {"CPUID": (5004, 30000, 5001), ...}."""
    spec = mkiso.glasshouse("", mkiso.BUILD / "guest" / "bench.img", cmdline, None)
    spec.first.path = mkiso.BUILD / "debug" / "glasshouse.elf"
    run = harness.boot(f"bench-vmcs-{cmdline}", spec, MODEL)
    run.wait()
    told = re.findall(r"^vmcs: (\S+) exits (\d+) reads (\d+) writes (\d+)$", run.log("glasshouse.log"), re.M)
    assert told, "the debug build has printed no counts\n" + run.log("glasshouse.log")[-2000:]
    return {name: tuple(map(int, counts)) for name, *counts in told}


def vmcs_accesses():
    """VMREADs and VMWRITEs of one exit, by reason: {"CPUID": (6.0, 1.0), ...}, on average."""
    return {name: (reads / exits, writes / exits) for name, (exits, reads, writes) in vmcs_counts().items()}


def cpuid_accesses(leaf):
    """Exits, VMREADs and VMWRITEs of 10,000 CPUIDs in a loop: what 20,000 have more than 10,000."""
    few, many = (vmcs_counts(f"cpuids={n} leaf={leaf}")["CPUID"] for n in (10_000, 20_000))
    return tuple(more - less for less, more in zip(few, many))


def linux(spec, name, cpus):
    """Runs Linux with the bench as its first process, and takes the tick at which the kernel is entered.

    With several CPUs, Bochs 2.7 misses breakpoints but not watchpoints. So there it stops when the kernel
    first writes to its stack, a few instructions later. The decompressor and memory copies write there, too.
    """
    if cpus == 1:
        entry = f"pb {KERNEL_ENTRY:#x}\n" + "c\n" * 2 + "del 1\n"
    else:
        entry = f"watch w {_kernel_stack() - 8:#x} 1\n" + "c\n" * 24 + "unwatch\n"
    entry += "c\n" * 3 + "q\n"
    run = harness.boot(name, spec, MODEL, cpus, commands=entry)
    run.wait()
    return figures(run, _entry_tick(run))


def measure(cpus=(1, 2)):
    """All figures: {"native": {...}, "glasshouse": {...}, "ept=off": {...}}, keys "guest" and ("linux", cpus)."""
    image = mkiso.BUILD / "guest" / "bench.img"
    specs = {"native": (mkiso.native(image, "", None), mkiso.native(cmdline=LINUX, initrd=INITRD))}
    for side, opts in (("glasshouse", ""), ("ept=off", "ept=off")):
        specs[side] = mkiso.glasshouse(opts, image, "", None), mkiso.glasshouse(opts, cmdline=LINUX, initrd=INITRD)
    out = {}
    for side, (own, debian) in specs.items():
        out[side] = {"guest": guest(own, f"bench-{side}-guest")}
        for n in cpus:
            out[side]["linux", n] = linux(debian, f"bench-{side}-linux{n}", n)
    return out


def exits_to_init(model=MODEL):
    """Exits of one vCPU, by reason, until the first process runs, which switches the machine off at once."""
    run = harness.boot(f"bench-init-{model}", mkiso.glasshouse("", cmdline=LINUX + " -- off", initrd=INITRD), model)
    run.wait()
    figures(run)
    counts = re.search(r"^exits: vcpu 0 total \d+((?: [A-Z_]+ \d+)+)$", run.log("glasshouse.log"), re.M)
    return {name: int(count) for name, count in re.findall(r"([A-Z_]+) (\d+)", counts[1])}


def image_size(image=mkiso.ELF):
    """Text and data of an image, in bytes."""
    run = subprocess.run(["size", image], capture_output=True, text=True, check=True)
    text, data = run.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


def table(measured):
    """The table that `make bench` prints."""
    native, glasshouse, shadow, vmcs = measured["native"], measured["glasshouse"], measured["ept=off"], vmcs_accesses()
    rows = [f"{'':34}{'native':>14}{'Glasshouse':>14}{'ratio':>9}{'ept=off':>14}{'ratio':>9}{'VMREADs':>10}{'VMWRITEs':>10}"]

    def row(label, key, name):
        a, b, c = (side[key].ticks[name] for side in (native, glasshouse, shadow))
        rows.append(f"{label:34}{a:14,}{b:14,}{b / a:9.4f}{c:14,}{c / a:9.4f}")

    for name, reason in (("cpuid", "CPUID"), ("rdmsr", "MSR_READ"), ("vmcall", "VMCALL"), ("nmi", "EXCEPTION_NMI"),
                         ("first-touch", "EPT_VIOLATION")):
        row(name, "guest", name)
        rows[-1] += "{:10.1f}{:10.1f}".format(*vmcs[reason])
    for key in native:
        if key == "guest":
            continue
        for name, label in (("boot", "kernel entry to /init"), ("fork-exec", "fork+exec"),
                            ("page-fault", "page fault"), ("getpid", "getpid"), ("pipe", "pipe ping-pong")):
            row(f"{label}, {key[1]} CPU", key, name)
    # What the whole run exits for, from the firmware on, and what was done about the page faults.
    for side, name in ((glasshouse, "with EPT"), (shadow, "ept=off")):
        counts, outcomes = side["linux", 1].reasons, side["linux", 1].faults
        rows.append(f"exits of the whole run, {name}: {sum(counts.values()):,}: " +
                    ", ".join(f"{reason} {n:,}" for reason, n in sorted(counts.items(), key=lambda item: -item[1])))
        if outcomes:
            rows.append("  its page faults: " + ", ".join(f"{outcome} {n:,}" for outcome, n in outcomes.items()))
    # Debian's kernel boots on each; the oldest two use shadow page tables.
    for model in [model for model in bochs.models() if model in bochs.CAPABLE]:
        rows.append(f"{'exits to /init, ' + model:42}{'':6}{sum(exits_to_init(model).values()):14,}")
    rows.append(f"{'GRUB to the guest, 1 CPU':34}{'':14}{glasshouse['linux', 1].start:14,}")
    rows.append(f"{'image, text and data, bytes':34}{'':14}{image_size():14,}")
    rows.append(f"{'the same without rooms':34}{'':14}{image_size(mkiso.BARE_ELF):14,}")
    rows.append(f"{'memory kept, 2 CPUs, KiB':34}{'':14}{glasshouse['linux', 2].kept_kib:14,}")
    return "\n".join(rows)


if __name__ == "__main__":
    print(f"Ticks on Bochs' {MODEL}, native and under Glasshouse; this takes some minutes.", flush=True)
    print(table(measure()))
