#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/reliability.md from real runs: random guests, sweeps, fuzzing, the decoder, entry rules, power cycles.

SEEDS=, EXITS= (each seed's), FUZZ_SECONDS=, CYCLES= in the environment choose how much. What is under way
goes to the terminal, as do pytest's words.
"""
import collections
import datetime
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run")]

import bochs  # noqa: E402  pylint: disable=wrong-import-position

OUT = ROOT / "docs" / "reliability.md"
SEEDS = int(os.environ.get("SEEDS") or 1)
EXITS = int(os.environ.get("EXITS") or 2_000_000)
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS") or 60)
CYCLES = int(os.environ.get("CYCLES") or 3)
JOBS = int(os.environ.get("JOBS") or 2)  # machines at the same time

INTRO = """\
# What was tried, and what was lost

Made by `make reliability` ({choice}) on {date}, of {build}, in {bochs}.
"Lost" counts runs in which Glasshouse died, hung, refused to go on or had its code changed. Numbers are those of the runs
themselves; the same seeds give the same numbers.

| what | how | how much | lost |
|---|---|---|---|
"""


OUTRO = """
Kinds of VM exits that the random guest met, in percent of all: {kinds}.

Left out of what guests try, because it stops the guest or its output, with Glasshouse or without it; each place says
so:

- ports, or some of their values: `rules` in guests/monkey/ports.c, {never} ports that are not written at all among
  them. Resets have runs of their own.
- MSRs: `msr_rules` in guests/monkey/actions.c: the local APIC's mode, and in x2APIC mode its timer and commands.
  Of all others each value is restored at once.
- by chance, but not in order: ports of devices (`may_write_port`), on which Bochs ends itself sooner or later.
- INIT to a CPU whose trap is lifted: Bochs 2.7 cannot show it. To itself, to others, before the trap is lifted and with
  icr=trap, it is sent.

The end of each run compares a checksum of Glasshouse's code and constants with that of the start. docs/failures.md tells
what Glasshouse says when something is wrong; `make soak` runs the random guest for longer.
"""


def boots(expression, **environment):
    """Boot tests chosen by `expression`: [(test, passed, what it printed)]; those skipped left out."""
    print(f"reliability: boots: {expression}", *(f"{k}={v}" for k, v in environment.items()), flush=True)
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", str(JOBS), "-k",
                        expression, "-o", "junit_logging=system-out", "--junitxml", report.name,
                        "tests/boot"], cwd=ROOT, env={**os.environ, **environment}, check=False)
        cases = ElementTree.parse(report.name).iter("testcase")
        return [(case.get("name"), case.find("failure") is None and case.find("error") is None,
                 case.findtext("system-out") or "") for case in cases if case.find("skipped") is None]


def failed(runs):
    """How many of the runs did not pass; no run at all is a failure of this program."""
    if not runs:
        sys.exit("reliability: no test was chosen where there must be some")
    return sum(not passed for _, passed, _ in runs)


kinds = collections.Counter()  # of exits that random guests met
numbers = {}  # what the sweeps said


def monkeys():
    """The random guest, for each seed."""
    for seed in range(1, SEEDS + 1):
        runs = boots("test_survives", SEED=str(seed), EXITS=str(EXITS))
        text = "\n".join(text for _, _, text in runs)
        exits = sum(int(n) for n in re.findall(r"^(\d+) exits$", text, re.M))
        seeds = sorted(int(n) for n in re.findall(r"^seed (\d+)", text, re.M))
        for line in re.findall(r"^kinds: (.*)$", text, re.M):
            kinds.update({name: int(n) for name, n in re.findall(r"([A-Z_]+) (\d+)", line)})
        yield ("random guest", f"seeds {', '.join(map(str, seeds))}; {len(runs)} machines of 1, 2 and 4 CPUs",
               f"{exits:,} VM exits of {len(kinds)} kinds", failed(runs))


def sweeps():
    """Everything in order."""
    runs = boots("test_sweep and not natively")
    text = "\n".join(text for _, _, text in runs)

    def count(words):
        return sum(int(n) for n in re.findall(words.replace("#", r"(\d+)"), text))

    numbers["never"] = max((int(n) for n in re.findall(r"written, (\d+) not", text)), default=0)
    yield ("ordered sweep", f"{len(runs)} machines, every mode of the CPU",
           f"{count('CPUID: # leaves'):,} CPUID leaves, {count('MSRs: # read'):,} MSRs read, "
           f"{count('# writes'):,} writes to them, {count('ports: # read'):,} ports read, "
           f"{count('bytes, # written'):,} written, {count('memory: # pages'):,} pages, "
           f"{count('memory: # steps'):,} steps of 1 GiB above, {count(': # instructions'):,} instructions in "
           "real, virtual-8086, protected, compatibility and 64-bit mode", failed(runs))


def ends():
    """What ends Glasshouse or the machine, while other CPUs cause exits continuously."""
    runs = boots("test_monkey and test_ends")
    yield ("resets", "one CPU's triple fault, a port's write, while another causes exits continuously", f"{len(runs)} boots",
           failed(runs))
    runs = boots("test_monkey and test_leaves")
    yield ("hypercalls", "leave, asked for wrongly, then rightly, while other CPUs cause exits continuously",
           f"{300 * len(runs)} wrong calls", failed(runs))


def failures():
    """What is broken on purpose, and invalid input."""
    for what, how, expression in (
            ("VM entry rules broken", "one of each section of the SDM's checks", "test_entry"),
            ("failures of our own", "exceptions, stacks, NMIs in root mode", "test_panic"),
            ("bad modules", "kernel images with wrong fields", "test_bad_module"),
            ("boot loaders that lie", "modules, memory maps, sizes", "test_lie")):
        runs = boots(expression)
        yield what, how, f"{len(runs)} boots, each with its reason printed", failed(runs)


def models():
    """The conformance guest on each CPU model."""
    runs = boots("test_conforms")
    yield "conformance guest", "every kind of CPU that this Bochs has, from Lynnfield on", f"{len(runs)} boots", failed(runs)


def cycles():
    """Linux, rebooted and switched off."""
    lost = 0
    for _ in range(CYCLES):
        lost += failed(boots("test_reboot"))
    yield "power cycles", "Debian's Linux boots, resets, boots, powers off", f"{2 * CYCLES} boots", lost


def fuzzing():
    """Every fuzz target."""
    print(f"reliability: fuzzing, {FUZZ_SECONDS} s for each target", flush=True)
    told = subprocess.run(["make", "--no-print-directory", "fuzz", f"FUZZ_SECONDS={FUZZ_SECONDS}"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    print(told.stdout, told.stderr)
    for name, runs in re.findall(r"FUZZ +fuzz_(\w+),.*\n +runs: (\d+)", told.stdout):
        yield f"fuzzing: {name}", "libFuzzer, address and undefined-behaviour sanitizers", f"{int(runs):,} inputs", 0
    if told.returncode:
        yield "fuzzing", "a target failed", told.stdout.splitlines()[-1], 1


def decoder():
    """The decoder against Zydis: the unit test says how many."""
    print("reliability: the decoder", flush=True)
    told = subprocess.run(["make", "--no-print-directory", "-C", "tests/unit", "test_insn"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    strings = sum(int(n) for n in re.findall(r"(\d+) random byte strings", told.stdout + told.stderr))
    yield "instruction decoder", "against libzydis, in each mode", f"{strings:,} random byte strings", \
        int(told.returncode != 0 or not strings)


def main():
    """Runs all and writes the file."""
    build = "Glasshouse " + (ROOT / "build/version.h").read_text().split('"')[1]
    rows = [row for part in (fuzzing, decoder, sweeps, ends, failures, models, cycles, monkeys) for row in part()]
    choice = f"SEEDS={SEEDS} EXITS={EXITS} FUZZ_SECONDS={FUZZ_SECONDS} CYCLES={CYCLES}"
    text = INTRO.format(choice=choice, date=datetime.date.today().strftime("%d %B %Y"),
                        build=build,
                        bochs="Bochs " + ".".join(map(str, bochs.version())))
    text += "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
    total = max(sum(kinds.values()), 1)
    shares = ", ".join(f"{name} {100 * n / total:.1f}" for name, n in kinds.most_common())
    text += OUTRO.format(kinds=shares, never=numbers["never"])
    OUT.write_text(text)
    print(text)
    return 1 if any(row[3] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
