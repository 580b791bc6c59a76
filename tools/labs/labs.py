# SPDX-License-Identifier: MIT
"""What a lab is: its folder, its tests, and what a student's number (SEED) makes of it."""
import hashlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# For grade.py, and a lab's check.py.
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run")]


def plain(answer):
    """An answer without 0x and leading zeros of its numbers."""
    return re.sub(r"\b(0x)?0*(?=[0-9a-f])", "", answer.lower())


@dataclass
class Test:
    """A test of a lab. Its number is its place in the list TESTS of the lab's check.py, from 1.

    `by`: who tells the result: "log", Glasshouse's log, in TAP with this number; "guest", the guest's own TAP;
    "answer", answers.txt, by the key `name`. `hint` is printed when it is the first that fails, `more` by lab-N-hint;
    `expected`: what is to be seen then. `boot`: the boot of the lab (Lab.boots) that decides, "" for the first.
    """

    name: str
    by: str
    hint: str
    more: str
    expected: str
    boot: str = ""


class Seed:
    """Numbers that follow from a student's number, a lab and a name, by a hash."""

    def __init__(self, seed, lab):
        self.prefix = f"{seed}/{lab}/"

    def number(self, name, below=1 << 64):
        """A number from 0 to `below` - 1."""
        return int.from_bytes(hashlib.sha256((self.prefix + name).encode()).digest()[:16], "big") % below

    def choose(self, name, items, count):
        """`count` different ones of `items`, in an order that depends on the seed, too."""
        return sorted(items, key=lambda item: self.number(f"{name}/{item}"))[:count]


class Lab:
    """A lab: labs/NUMBER-NAME/."""

    def __init__(self, folder):
        self.folder = folder
        self.number = int(folder.name[:2])
        path = folder / "check/check.py"
        spec = importlib.util.spec_from_file_location(f"check_{self.number}", path)
        self.check = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.check)
        self.tests = self.check.TESTS

    @property
    def boots(self):
        """{name: Glasshouse's options} of the boots of a check, in their order. The first is "", and that of `make lab-N`."""
        return getattr(self.check, "BOOTS", {"": ""})

    @property
    def title(self):
        """The heading of its README.md, without "Lab N: "."""
        return re.match(r"(?:<!--.*-->\n)*# Lab \d+: (.*)", (self.folder / "README.md").read_text())[1]

    def answers(self, path=None):
        """{key: value} of answers.txt; words are separated by single spaces."""
        pairs = re.findall(r"^([\w-]+) *=(.*)$", (path or self.folder / "answers.txt").read_text(), re.M)
        return {key: " ".join(value.split()) for key, value in pairs}

    def header(self, seed, broken):
        """The text of seed.h, which the lab's check, and its holes, may include."""
        macros = {"LAB_RANDOM": f"{Seed(seed, self.number).number('random') | 1:#x}ull",
                  **self.check.macros(Seed(seed, self.number), broken)}
        return "".join(f"#define {name} {value}\n" for name, value in macros.items())


def all_labs():
    """The labs, in their order."""
    return [Lab(folder) for folder in sorted((ROOT / "labs").glob("[0-9][0-9]-*"))]
