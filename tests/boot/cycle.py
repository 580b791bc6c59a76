# SPDX-License-Identifier: MIT
"""What the monitor's command `cycle` tells, as data; and docs/walkthrough.md, which is made from it.

`make walkthrough` runs this file: it boots guests/cycle in Bochs, asks for each form of `cycle`, and writes the
document. The document has no lines and no costs, so that it changes only when a step, a function, a file or a name
does; `cycle` itself tells both.
"""
import re
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run")]

import harness  # noqa: E402  pylint: disable=wrong-import-position
import mkiso  # noqa: E402  pylint: disable=wrong-import-position
import monitor  # noqa: E402  pylint: disable=wrong-import-position

DOCUMENT = ROOT / "docs/walkthrough.md"
KVM = "2.6.33", "3.18", "6.1"


@dataclass
class Step:
    """A line of `cycle`. `costs`: instructions, VMREADs, VMWRITEs; or ticks, of the boot's."""

    costs: list
    function: str
    file: str
    line: int
    kvm: str
    does: str


@dataclass
class Marker:
    """A line of `cycle steps`."""

    name: str
    function: str
    file: str
    line: int
    kvm: list
    sdm: str
    does: str


def steps(lines):
    """The steps in the answer to `cycle`: a list of lists, one for each cycle that is told."""
    told = []
    for line in lines:
        if " in KVM 6.1 " in line:
            told.append([])
        if match := re.match(r" *([\d ]+?)  (\S+) +(\S+):(\d+) +(\S+) +(\S.*)$", line):
            costs, function, file, number, kvm, does = match.groups()
            told[-1].append(Step([int(cost) for cost in costs.split()], function, file, int(number), kvm, does))
    return told


def markers(lines):
    """The answer to `cycle steps`."""
    rows = [line.split(" | ") for line in lines]
    return [Marker(name, function, place.split(":")[0], int(place.split(":")[1]), kvm, sdm, does)
            for name, function, place, *kvm, sdm, does in rows]


class Guest:
    """guests/cycle on two CPUs, and its monitor. `labels`: the addresses of its instructions, by name."""

    def __init__(self, name):
        spec = mkiso.glasshouse("monitor=com2", mkiso.BUILD / "guest/cycle.img", "", None)
        self.run, self.monitor = monitor.boot(name, spec, memory=256, ticks=30_000_000_000)
        self.monitor.until(monitor.PROMPT)
        self.run.expect("# ready\n")
        self.labels = {name: int(at, 16) for name, at in re.findall(r"^# (\w+) ([0-9a-f]+)$", self.run.text, re.M)}

    def cycle(self, words, touch_after=None):
        """The steps that `cycle words` tells. `touch_after`: touch new memory when this has been told ("" at once)."""
        if touch_after is None:
            return steps(self.monitor.ask(f"cycle {words}"))
        self.monitor.type(f"cycle {words}")
        self.monitor.line.sendall(b"\r")
        before = self.monitor.until(touch_after) if touch_after else ""
        self.run.send("t")
        told = (before + self.monitor.until(monitor.PROMPT)).strip("\n").split("\n")
        assert told[-1] == "ok", told
        return steps(told)

    def end(self):
        """Ends the guest; its tests must have passed."""
        self.run.send("q")
        assert self.run.wait() == "power-off"
        assert self.run.results()


def walk(guest):
    """Everything that the document tells: a list of chapters (title, text, steps), and the markers."""
    labels = guest.labels
    fault, violation = guest.cycle("pf", "in all")
    return [
        ("The boot", "What the boot CPU did until its guest was entered first: `cycle init`.", guest.cycle("init")[0]),
        ("A virtual machine", "What was made for it: `cycle create`.", guest.cycle("create")[0]),
        ("One exit: CPUID", "The shortest way round: `cycle reason CPUID`.",
         guest.cycle(f"rip {labels['cpuid']:x}")[0]),
        ("A port", "`cycle io`, or `cycle port 70`.", guest.cycle("port 70")[0]),
        ("A page fault: the guest's own page tables",
         "`cycle pf` tells both roads. On the first one the exception #PF exits; `cycle` intercepts it meanwhile.", fault),
        ("A page fault: the second-level tables", "On the other one the EPT has no page there.", violation),
    ], markers(guest.monitor.ask("cycle steps"))


def table(told, marked):
    """The rows of a chapter; steps that repeat are told once."""
    does = {(marker.file, marker.line): marker.does for marker in marked}
    rows = ["| step | function | file | in KVM 6.1 |", "|---|---|---|---|"]
    for (what, function, file, kvm), same in groupby(
            told, lambda step: (does[step.file, step.line], step.function, step.file, step.kvm)):
        times = len(list(same))
        rows.append(f"| {what}{f' ({times} times)' if times > 1 else ''} | `{function}` | {file} | "
                    f"{kvm if kvm != '-' else ''} |")
    return rows


def place(step):
    """Where a step is, for people."""
    return f"In `{step.function}`, {step.file}."


def answers(chapters):
    """The questions that a course on KVM asks first."""
    cpuid, guests, second_level = (chapters[number][2] for number in (2, 4, 5))
    enter, leave = (next(step for step in cpuid if step.does.startswith(word)) for word in ("VMRESUME", "HOST_RIP"))
    common = [step for step in guests if step.line in [other.line for other in second_level if other.file == step.file]]
    common = [step for step in common if step.function not in [other.function for other in cpuid]]
    assert len(common) == 1, common
    return [f"- Where is the loop? {place(cpuid[0])}",
            f"- Where is the guest entered? {place(enter)}",
            f"- Where does its exit come back? At the label `{leave.function}`, {leave.file}: the VMCS has it in HOST_RIP.",
            f"- What is the common place of both kinds of page fault? `{common[0].function}`, {common[0].file}."]


def document(chapters, marked):
    """The text of docs/walkthrough.md."""
    out = ["<!-- SPDX-License-Identifier: MIT -->",
           "<!-- Made by `make walkthrough` from a run in Bochs: change vmm/steps.def, or the markers in the code. -->",
           "# The cycle, step by step", "",
           "By which functions does Glasshouse enter a guest, where does the guest's exit arrive, and who handles it? Each",
           "table below is what the monitor's command `cycle` told of a running machine: it steps a CPU through Glasshouse's",
           "code and notes each marker (`STEP`, vmm/steps.h) that it meets. On your own machine it also tells lines, costs,",
           "addresses and values: [how to use it](debugging.md#one-exit-step-by-step).", "", *answers(chapters), ""]
    for title, text, told in chapters:
        out += [f"## {title}", "", text, "", *table(told, marked), ""]
    out += ["## Side by side", "",
            "All markers, with KVM's names in three versions of Linux, and the titles of the sections in Intel's manual (SDM,",
            "volume 3). [kvm.md](kvm.md) compares more than these.", "",
            "| step | here | in Linux " + " | ".join(KVM) + " | in the SDM |", "|---|---|---|---|---|---|"]
    names = [m.name for m in marked]
    marked = sorted(marked, key=lambda m: (names.index(m.name), m.file, m.line))
    rows = [f"| {m.does} | `{m.function}` | {' | '.join(m.kvm)} | {m.sdm} |" for m in marked]
    return "\n".join(out + list(dict.fromkeys(rows))) + "\n"


def main():
    """Writes the document."""
    try:
        guest = Guest("walkthrough")
        DOCUMENT.write_text(document(*walk(guest)))
        guest.end()
    finally:
        for run in harness.runs:
            run.stop()


if __name__ == "__main__":
    main()
