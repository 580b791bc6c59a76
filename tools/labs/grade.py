# SPDX-License-Identifier: MIT
"""Builds a lab's image, boots it in Bochs without a terminal, and judges the result."""
import os
import re
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from labs import ROOT, Seed, plain  # first: it says where the next two are

import bochs  # pylint: disable=wrong-import-order
import mkiso  # pylint: disable=wrong-import-order

MODEL = "corei7_skylake_x"
MEMORY = 128  # MiB
# Limits far above the need: emulated instructions, and seconds on a busy host.
TICKS = 500_000_000
SECONDS = 600

# Glasshouse's last message on the serial line before the guest's first.
ENTERED = "Entering the guest."

# Glasshouse's last message when it refuses the machine, and when it panics.
STOPPED = re.compile(rb"^(Glasshouse has stopped\.|Glasshouse: .* Stopped\.|\*\*\* Stopped\.)[^\n]*\n", re.M)


def build(lab, out, seed, holes, broken=0):
    """Builds the lab's image in the folder `out`, with the files in `holes`. Returns its path, or None if it fails."""
    out.mkdir(parents=True, exist_ok=True)
    header = out / "seed.h"
    text = lab.header(seed, broken)
    if not header.exists() or header.read_text() != text:
        header.write_text(text)
    image = out / "glasshouse.elf"
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "--no-print-directory", f"LAB={lab.folder.name}", f"HOLES={holes}",
                           f"LAB_OUT={out.relative_to(ROOT)}", str(image.relative_to(ROOT))],
                          cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    return None if done.returncode else image


def guest_of(lab):
    """A lab's guest: what its machine runs, or the initrd of its Linux."""
    return mkiso.BUILD / f"guest/lab-{lab.folder.name}.img"


def boot_of(lab, image, seed, opts="", guest_words=""):
    """What GRUB loads: the lab's image and its guest, with Glasshouse's options, and the guest's words besides the lab's."""
    words = f"{lab.check.guest_words(Seed(seed, lab.number))} {guest_words}".strip()
    guest = guest_of(lab)
    spec = lab.check.loads(guest, opts, words) if hasattr(lab.check, "loads") else mkiso.glasshouse(opts, guest, words, None)
    spec.first.path = image
    return spec


@dataclass
class Output:
    """What a machine has said: Glasshouse's log, the serial line.

    `image` and `seed`: what it ran: the path, a Seed. `others`: the Outputs of the lab's other boots, by their names.
    """

    log: str
    serial: str
    image: Path = None
    seed: Seed = None
    others: dict = field(default_factory=dict)

    def of(self, boot):
        """The Output of the boot with this name; an empty one if there was none."""
        return self.others.get(boot, Output("", "")) if boot else self


def cpus(lab):
    """How many CPUs a lab's machine has."""
    return getattr(lab.check, "CPUS", 1)


def memory(lab):
    """The memory of a lab's machine, in MiB."""
    return getattr(lab.check, "MEMORY", MEMORY)


def run(lab, spec, folder):
    """Boots `spec` in Bochs until the machine ends, or Glasshouse stops. Returns its Output."""
    iso = mkiso.make_iso(folder / "boot.iso", spec)
    ticks = bochs.script(getattr(lab.check, "TICKS", TICKS))
    process, line = bochs.start(bochs.Machine(iso, MODEL, cpus(lab), memory(lab)), folder, ticks)
    said, deadline = b"", time.monotonic() + SECONDS
    try:
        with line, selectors.DefaultSelector() as selector:
            selector.register(line, selectors.EVENT_READ)
            while time.monotonic() < deadline and not STOPPED.search((folder / "glasshouse.log").read_bytes()):
                if not selector.select(1):
                    continue
                try:
                    data = line.recv(65536)
                except ConnectionError:
                    data = b""
                if not data:
                    break
                said += data
    finally:
        process.kill()
        process.wait()
    log = (folder / "glasshouse.log").read_bytes().decode("latin-1").replace("\r", "")
    return Output(log, said.decode("latin-1").replace("\r", ""))


def by_log(output):
    """{number: why it failed, or None} from the TAP in Glasshouse's log; a test may be told more than once."""
    results = {}
    for bad, number, why in re.findall(r"^(not )?ok (\d+)(?: - (.*))?$", output.log, re.M):
        number = int(number)
        results[number] = results.get(number) or ((why or "failed") if bad else None)
    return results


def by_guest(output):
    """Why the guest's tests failed, or None. Passed: the plan is complete, and all passed."""
    said = output.serial.partition(ENTERED)[2]
    plan = re.search(r"^1\.\.(\d+)$", said, re.M)
    results = re.findall(r"^(not )?ok (\d+)(.*)$", said, re.M)
    bad = [number + name for not_ok, number, name in results if not_ok]
    if bad:
        return "the guest says: not ok " + bad[0]
    if not plan:
        return "the guest has not come to its end"
    return None if [int(r[1]) for r in results] == list(range(1, int(plan[1]) + 1)) else "tests of the guest are missing"


def judge(lab, output, answers):
    """The verdicts: for each test of the lab None (passed), or why it failed. `answers`: None: those of the log itself."""
    keys, told = lab.check.keys(output), {boot: by_log(output.of(boot)) for boot in lab.boots}
    failed = {number: why for results in told.values() for number, why in results.items() if why}
    answers = keys if answers is None else answers
    accepts = getattr(lab.check, "accepts", lambda _key, given, right: given == right)
    verdicts = []
    for number, test in enumerate(lab.tests, 1):
        if test.by == "log":
            verdicts.append(failed.get(number) or told[test.boot].get(number, "the machine did not come to this test"))
        elif test.by == "guest":
            verdicts.append(by_guest(output.of(test.boot)))
        elif test.name not in keys:
            verdicts.append("the machine did not come to the place that has the answer")
        elif not answers.get(test.name):
            verdicts.append("there is no answer in answers.txt yet")
        else:
            right = accepts(test.name, plain(answers[test.name]), plain(keys[test.name]))
            verdicts.append(None if right else f"{answers[test.name]} is not the answer")
    return verdicts


def tap(lab, verdicts):
    """The results as TAP."""
    lines = [f"1..{len(verdicts)}"]
    for number, (test, why) in enumerate(zip(lab.tests, verdicts), 1):
        lines.append(f"{'not ok' if why else 'ok'} {number} - {test.name}{f': {why}' if why else ''}")
    return "\n".join(lines) + "\n"


def check(lab, seed, holes, answers, out):
    """Builds, boots until a boot's tests fail, and judges. Returns the verdicts and the first boot's Output, which has the others; or
    (None, None) if the files cannot be compiled."""
    image = build(lab, out, seed, holes)
    if not image:
        return None, None
    output = Output("", "")
    for boot, opts in lab.boots.items():
        this = run(lab, boot_of(lab, image, seed, opts), run_folder(out, boot))
        if boot:
            output.others[boot] = this
        else:
            output = this
        output.image, output.seed = image, Seed(seed, lab.number)
        verdicts = judge(lab, output, answers)
        hide(lab, run_folder(out, boot) / "glasshouse.log")
        if any(why for test, why in zip(lab.tests, verdicts) if test.boot == boot and test.by != "answer"):
            break
    return verdicts, output


def run_folder(out, boot):
    """Where in a lab's folder `out` a boot has its files."""
    return out / (f"run-{boot}" if boot else "run")


def hide(lab, path):
    """Takes the answers out of the log that stays."""
    path.write_text(lab.check.SECRET.sub("", path.read_text(errors="replace").replace("\r", "")))


def seed_of_environment():
    """The student's number: the variable SEED, 1 if it is not set. Exits if it is no number."""
    text = os.environ.get("SEED") or "1"
    if not re.fullmatch(r"\d{1,12}", text):
        sys.exit(f"SEED={text}: give your number, of at most 12 digits")
    return int(text)


def output_folder(lab, solution):
    """The folder of a lab's image and results."""
    return Path(mkiso.BUILD / "labs" / lab.folder.name / ("solution" if solution else "own"))
