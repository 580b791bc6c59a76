# SPDX-License-Identifier: MIT
"""`make handout`: what students get has no solutions, and its labs work without the tree that it was made from."""
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

import harness
from lab_mutants import HOLES
from labs import ROOT
from test_labs import LABS, SEED, body, holes_with


def handed_out(name):
    """Makes the handout, and unpacks it. Returns its folder."""
    made, folder = harness.FOLDER / name, harness.FOLDER / f"{name}-unpacked"
    subprocess.run([sys.executable, ROOT / "tools/labs/handout.py", made.relative_to(ROOT)], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(f"{made}.tar.gz") as archive:
        archive.extractall(folder)
    return folder / "glasshouse-labs"


def make(tree, target, status):
    """What `make target` prints in the handout; it must end with `status`."""
    done = subprocess.run(["make", "--no-print-directory", target, f"SEED={SEED}"], cwd=tree, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert done.returncode == status, done.stdout
    return done.stdout


def texts(folder, names):
    """{name: the lines of the file, without the space around them} of those that are text."""
    found = {}
    for name in names:
        try:
            found[name] = {line.strip() for line in (folder / name).read_text().splitlines()}
        except UnicodeDecodeError:
            pass
    return found


def secrets():
    """{file: lines of its holes' solutions that stand nowhere else in the tree}."""
    names = subprocess.run(["git", "ls-files", ":!tests"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    tree = texts(ROOT, names)
    found = {}
    for hole in (hole for holes in HOLES.values() for hole in holes):
        lines = {line.strip() for line in body((ROOT / hole.file).read_text(), hole.function).splitlines()[1:]}
        found.setdefault(hole.file, set()).update(
            line for line in lines if len(line) > 12 and not any(line in text for name, text in tree.items() if name != hole.file))
    return found


def solve(tree, number, tmp_path):
    """Puts the solutions of a lab into the handout's hole files."""
    shutil.copytree(holes_with(tmp_path / str(number), LABS[number]), tree / "labs" / LABS[number].folder.name / "holes",
                    dirs_exist_ok=True)


def passes_but_answers(tree, number):
    """All tests of a lab pass, but those that ask for answers."""
    told = make(tree, f"lab-{number}-check", 2)
    bad = [int(test) for test in re.findall(r"^not ok (\d+) ", told, re.M)]
    good = re.findall(r"^ok (\d+) ", told, re.M)
    tests = LABS[number].tests
    assert bad == [n for n, test in enumerate(tests, 1) if test.by == "answer"] and len(bad) + len(good) == len(tests), told


def test_handout(tmp_path):
    """It has no line of a solution; a lab that is untouched fails with its hint; one that is solved passes."""
    tree = handed_out("handout")
    names = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()]
    told = {line for lines in texts(tree, names).values() for line in lines}
    for file, lines in secrets().items():
        assert lines and not lines & told, f"{file}: the handout tells {lines & told}"
    assert not (tree / "tests").exists() and not (tree / ".git").exists()
    lab = LABS[1]
    told = make(tree, "lab-1-check", 2)
    assert f"The first test that failed is 1, {lab.tests[0].name}: " in told
    assert lab.tests[0].hint.split(".")[0] in " ".join(told.split())
    solve(tree, 4, tmp_path)
    passes_but_answers(tree, 4)


@pytest.mark.soak
def test_each_lab(tmp_path):
    """Each lab passes in the handout when it is solved, and another one not."""
    tree = handed_out("handout-solved")
    for number, lab in LABS.items():
        solve(tree, number, tmp_path)
        passes_but_answers(tree, number)
        folder = tree / "labs" / lab.folder.name / "holes"
        shutil.rmtree(folder)
        shutil.copytree(lab.folder / "holes", folder)
