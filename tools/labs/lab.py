#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The labs: make labs, make lab-N, lab-N-check, lab-N-hint, handin, labs-iso.

Usage: lab.py list | handin | iso, or run | check | hint N. In the environment: SEED, SOLUTION, BROKEN, BOOT.
"""
import io
import os
import re
import subprocess
import sys
import tarfile
import textwrap

import grade
from labs import ROOT, Seed, all_labs

LAST = "result.tap"  # in a lab's folder of output: what the last check said
SEEN = 8  # lines of the log that are shown


def lab_of(number):
    """The lab with this number; exits if there is none."""
    for lab in all_labs():
        if str(lab.number) == number:
            return lab
    sys.exit(f"lab-{number}: there is no such lab; make labs lists them")


def solution():
    """Is the tree's own code to be used instead of the student's?"""
    if os.environ.get("SOLUTION") and (ROOT / "shipped").exists():
        sys.exit("SOLUTION=1: this tree was handed out to students, and has no solutions")
    return bool(os.environ.get("SOLUTION"))


def holes(lab):
    """The folder whose files take the place of the tree's."""
    return lab.folder.relative_to(ROOT) / ("check/none" if solution() else "holes")


def wrapped(text):
    """A paragraph for the terminal."""
    return textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    ")


def asked(lab, seed):
    """What this student is asked: a line, or nothing."""
    text = lab.check.questions(Seed(seed, lab.number))
    return f"{text}\n" if text else ""


def last_verdicts(folder):
    """The results of the last check: its first line, and for each test (passed, name); None: there was none."""
    path = folder / LAST
    if not path.exists():
        return None
    text = path.read_text()
    return text.splitlines()[0], [(not bad, name) for bad, name in re.findall(r"^(not )?ok \d+ - ([\w-]+)", text, re.M)]


def version():
    """The version of the tree; a handout (handout.py) says whose it is."""
    if (ROOT / "VERSION").exists():
        return (ROOT / "VERSION").read_text().strip()
    told = subprocess.run(["git", "describe", "--always", "--dirty", "--tags"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    return told.stdout.strip() or "unknown"


def explain(lab, number, why, output, folder):
    """Prints what to do about the first test that failed."""
    test = lab.tests[number - 1]
    print(f"\nThe first test that failed is {number}, {test.name}: {why}.\n")
    print(wrapped(f"Hint: {test.hint}"))
    print(wrapped(f"More: make lab-{lab.number}-hint. What to do: {lab.folder.relative_to(ROOT)}/README.md."))
    if test.by == "answer":
        return
    whose, log = "the guest" if test.by == "guest" else "Glasshouse", grade.run_folder(folder, test.boot) / "glasshouse.log"
    if not log.exists():
        return
    shown = output.of(test.boot).serial if test.by == "guest" else log.read_text()
    lines = [line for line in shown.splitlines() if line.strip()]
    print(f"\nExpected in {whose}'s log: {test.expected}\nIt says about the tests, and at its end:")
    about = dict.fromkeys(line for line in lines if re.match(rf"(not )?ok \d|# |Lab {lab.number}:", line))
    print(textwrap.indent("\n".join([*about, "...", *lines[-SEEN:]]), "  | "))
    print(f"All of it: {log.relative_to(ROOT)}")


def check(lab):
    """make lab-N-check. Returns the exit status."""
    seed, folder = grade.seed_of_environment(), grade.output_folder(lab, solution())
    (folder / LAST).unlink(missing_ok=True)
    verdicts, output = grade.check(lab, seed, holes(lab), None if solution() else lab.answers(), folder)
    if verdicts is None:
        print(f"\nLab {lab.number}: your files cannot be compiled: see the compiler's messages above.")
        return 1
    text = grade.tap(lab, verdicts)
    (folder / LAST).write_text(f"# lab {lab.number}, SEED={seed}, Glasshouse {version()}\n{text}")
    print(asked(lab, seed) + text, end="")
    failed = [number for number, why in enumerate(verdicts, 1) if why]
    if not failed:
        print(f"\nLab {lab.number} is done (SEED={seed}).")
        return 0
    explain(lab, failed[0], verdicts[failed[0] - 1], output, folder)
    return 1


def hint(lab):
    """make lab-N-hint."""
    last = last_verdicts(grade.output_folder(lab, False))
    if last is None:
        print(f"make lab-{lab.number}-check first: it finds out which test fails.")
        return
    failed = [number for number, (passed, _) in enumerate(last[1], 1) if not passed]
    if not failed:
        print(f"All tests of lab {lab.number} passed.")
        return
    test = lab.tests[failed[0] - 1]
    print(f"Test {failed[0]}, {test.name}:\n{wrapped(test.hint)}\n{wrapped(test.more)}")


def show_list():
    """make labs."""
    labs = all_labs()
    width = max(len(lab.title) for lab in labs)
    for lab in labs:
        last = last_verdicts(grade.output_folder(lab, False))
        state = "not checked yet"
        if last:
            passed = sum(good for good, _ in last[1])
            state = ("done" if passed == len(last[1]) else f"{passed} of {len(last[1])} tests pass") + \
                f" ({re.search(r'SEED=[0-9]+', last[0])[0]})"
        print(f"  make lab-{lab.number}-check   {lab.title:<{width}}  {state}")
    print("\nWhat to do is in labs/NUMBER-NAME/README.md; how the labs work in labs/README.md.")


def seed_of_results():
    """The number of the last checks; exits if they differ, or if SEED is another one."""
    checked = {lab.number: last_verdicts(grade.output_folder(lab, False)) for lab in all_labs()}
    seeds = {number: int(re.search(r"SEED=([0-9]+)", last[0])[1]) for number, last in checked.items() if last}
    seed = grade.seed_of_environment() if os.environ.get("SEED") or not seeds else next(iter(seeds.values()))
    for number, other in seeds.items():
        if other != seed:
            sys.exit(f"handin: lab {number} was checked with SEED={other}, not {seed}. Check all labs with your number, then "
                     "make handin SEED=your number")
    return seed


def changed_besides():
    """The files of the tree that differ from its version and are not handed in; none are known without git."""
    if (ROOT / "VERSION").exists():
        return []
    told = subprocess.run(["git", "diff", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in told.stdout.splitlines() if not re.match(r"labs/[^/]+/(holes/|answers\.txt$)", name)]


def handin():
    """make handin: the archive."""
    out = ROOT / "build/handin.tar.gz"
    out.parent.mkdir(exist_ok=True)
    about = f"version {version()}\nSEED {seed_of_results()}\n" + "".join(f"changed: {name}\n" for name in changed_besides())
    with tarfile.open(out, "w:gz") as archive:
        for lab in all_labs():
            name = lab.folder.name
            last = grade.output_folder(lab, False) / LAST
            archive.add(lab.folder / "holes", f"handin/{name}/holes")
            archive.add(lab.folder / "answers.txt", f"handin/{name}/answers.txt")
            if last.exists():
                archive.add(last, f"handin/{name}/{LAST}")
            about += f"lab {lab.number}: {'checked' if last.exists() else 'never checked'}\n"
        info = tarfile.TarInfo("handin/ABOUT")
        info.size = len(about)
        archive.addfile(info, io.BytesIO(about.encode()))
    print(f"{about}{out.relative_to(ROOT)} is what you hand in.")


def with_monitor(lab, image, seed, opts, folder):
    """What GRUB loads for somebody who looks: the machine stops before the guest's first instruction, and the guest does not
    end by itself. The script for this goes into `folder`."""
    spec = grade.boot_of(lab, image, seed, opts, "stay=1")
    script = folder / "pause"
    script.write_text("pause\n")
    spec.modules.append(grade.mkiso.Entry(script, "script"))
    return spec


def iso():
    """make labs-iso: a CD or disk with a menu of all labs, for a BIOS and for UEFI. Returns the exit status."""
    seed, boots = grade.seed_of_environment(), {}
    for lab in all_labs():
        if not grade.guest_of(lab).exists():
            print(f"Lab {lab.number} is left out: its guest is not made yet. make lab-{lab.number}-check makes it.")
            continue
        folder = grade.output_folder(lab, solution())
        image = grade.build(lab, folder, seed, holes(lab))
        if not image:
            return 1
        for boot, opts in lab.boots.items():
            boots[f"Lab {lab.number} {boot}".strip()] = grade.boot_of(lab, image, seed, opts)
        first = next(iter(lab.boots.values()))
        boots[f"Lab {lab.number} monitor"] = with_monitor(lab, image, seed, f"monitor=com1 {first}", folder)
    out = grade.mkiso.BUILD / "labs.iso"
    grade.mkiso.write_iso(out, *grade.mkiso.grub_menu(boots), ["multiboot2", "configfile"], folders=())
    print(f"{out.relative_to(ROOT)}: {', '.join(boots)}, with {'the solutions' if solution() else 'your files'}, SEED={seed}.")
    return 0


def run(lab):
    """make lab-N: on this terminal. Returns the exit status."""
    broken = os.environ.get("BROKEN") or "0"
    folder = grade.output_folder(lab, solution()) / (f"broken-{broken}" if broken != "0" else "")
    os.environ.setdefault("RUN_FOLDER", str(folder / "terminal"))
    if broken not in ("0", "1", "2", "3"):
        sys.exit(f"BROKEN={broken}: give 1, 2 or 3")
    boot = os.environ.get("BOOT") or ""
    if boot not in lab.boots:
        sys.exit(f"BOOT={boot}: lab {lab.number} has no such boot; it has: {', '.join(filter(None, lab.boots)) or 'one only'}")
    import run as terminal  # pylint: disable=import-outside-toplevel  # it reads RUN_FOLDER

    seed = grade.seed_of_environment()
    image = grade.build(lab, folder, seed, holes(lab), int(broken))
    if not image:
        return 1
    terminal.FOLDER.mkdir(parents=True, exist_ok=True)
    spec = with_monitor(lab, image, seed, f"monitor=com2 {lab.boots[boot]}", terminal.FOLDER)
    disk = grade.mkiso.make_iso(terminal.FOLDER / "lab.iso", spec)
    print(f"""\
Lab {lab.number}: {lab.title}. SEED={seed}.
{asked(lab, seed)}The machine stops before the guest's first instruction. Then:
  Ctrl-T      the monitor of Glasshouse: help lists its commands, resume lets the guest run; Ctrl-T again: the guest
  q           typed to the guest: its end, the machine switches itself off
  Ctrl-A x    switch the machine off at once
Glasshouse's messages: {terminal.FOLDER / 'glasshouse.log'}
""", flush=True)
    return terminal.on_terminal(grade.bochs.Machine(disk, grade.MODEL, grade.cpus(lab), grade.memory(lab)), 0, True)


def main():
    """Does what the command says. Returns the exit status."""
    if sys.argv[1:] in (["list"], ["handin"], ["iso"]):
        return {"list": show_list, "handin": handin, "iso": iso}[sys.argv[1]]()
    if len(sys.argv) == 3 and sys.argv[1] in ("run", "check", "hint"):
        return {"run": run, "check": check, "hint": hint}[sys.argv[1]](lab_of(sys.argv[2]))
    sys.exit(__doc__)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
