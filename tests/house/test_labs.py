# SPDX-License-Identifier: MIT
"""The labs fit the tree: their hole files take the place of files that exist, and keep to the same include rules."""
import re
import subprocess
import sys

import pytest

import check_includes
from check_includes import ROOT

sys.path.insert(0, str(ROOT / "tools/labs"))

from labs import all_labs  # noqa: E402  pylint: disable=wrong-import-position

LABS = all_labs()
HOLES = [path for lab in LABS for path in sorted((lab.folder / "holes").rglob("*.*"))]
SECTIONS = ["What to read", "What to do", "What you will see", "Questions"]


def place(path):
    """The path in the tree of the file that a hole file replaces."""
    return str(path).partition("/holes/")[2]


def functions(path):
    """The functions that a C file defines for others, or the macros of an assembly file."""
    text = "\n".join(check_includes.code(str(path), path.parent))
    return set(re.findall(r"(?m)^(?!static (?!inline))\w[^\n;={]*?\b(\w+)\([^;{]*\)\n\{", text)) | set(re.findall(r"\.macro (\w+)", text))


@pytest.mark.parametrize("path", HOLES, ids=place)
def test_holes(path):
    """A hole file has the functions of the tree's file of its name, and includes only what that file may include."""
    tree = ROOT / place(path)
    assert tree.is_file(), f"{tree} does not exist"
    assert functions(path) == functions(tree) and functions(path)
    for this in check_includes.includes(str(path.relative_to(ROOT))):
        moved = check_includes.Include(place(path), this.line, this.name, this.path)
        assert this.name == "seed.h" or place(path).startswith("labs/") or not check_includes.layer_violation(moved)


def users(path):
    """What is compiled to see whether a hole file fits: itself, or the assembly files that include it."""
    if path.suffix != ".inc":
        return [path]
    found = [user for user in ROOT.glob("[a-z]*/**/*.S") if user.relative_to(ROOT).parts[0] not in ("build", "shipped")]
    return [user for user in found if f'#include "{place(path)}"' in user.read_text()]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: str(lab.number))
def test_compiles(lab, tmp_path):
    """The hole files as they are handed out fit the tree's headers: nobody has changed these without them."""
    subprocess.run(["make", "-s", "--no-print-directory", "build/flags"], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
    flags = (ROOT / "build/flags").read_text().splitlines()[0].split()
    (tmp_path / "seed.h").write_text(lab.header(1, 0))
    for path in HOLES:
        if path.is_relative_to(lab.folder):
            assert users(path), path
            for user in users(path):
                done = subprocess.run([flags[0], "-iquote", tmp_path, "-iquote", lab.folder / "holes", *flags[1:], "-c", "-o",
                                       tmp_path / "object", *(["-x", "c"] if path.suffix == ".h" else []), "-Wno-unused-function", user],
                                      cwd=ROOT, text=True, stderr=subprocess.PIPE, check=False)
                assert not done.returncode, done.stderr


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: str(lab.number))
def test_parts(lab):
    """Each lab has its parts: a text with its sections, tests with hints, an answer's key for each test that asks for one."""
    text = (lab.folder / "README.md").read_text()
    assert lab.title and "**Goal.**" in text
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    keys = [test.name for test in lab.tests if test.by == "answer"]
    assert keys == list(lab.answers()) and not any(lab.answers().values())
    for test in lab.tests:
        assert test.name and test.hint and test.more and test.expected and test.by in ("log", "guest", "answer")
    assert f"({lab.folder.name}/README.md)" in (ROOT / "labs/README.md").read_text()
    assert list((lab.folder / "guest").glob("*.c"))


def test_numbers():
    """The labs' numbers are all different, and are those of their headings."""
    numbers = [lab.number for lab in LABS]
    assert len(set(numbers)) == len(numbers) and numbers
    for lab in LABS:
        assert f"# Lab {lab.number}: " in (lab.folder / "README.md").read_text()


def test_readme():
    """README's table says how many tests and boots a lab has."""
    rows = [re.split(r" *\| *", line)[2:-1] for line in re.findall(r"^\| (?:lab|tests, boots) \|.*$", (ROOT / "README.md").read_text(), re.M)]
    told = dict(zip(*rows))
    for lab in LABS:
        assert told.get(str(lab.number)) == f"{len(lab.tests)}, {len(lab.boots)}", lab.number
