# SPDX-License-Identifier: MIT
"""The labs: solutions pass, each stub fails at its own test with its hint, and each mutant at the test meant for it."""
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

import grade
import harness
import lab as lab_program
from lab_mutants import HOLES, MUTANTS, QUICK
from labs import ROOT, Lab, Seed, all_labs, plain
from test_run import terminal

LABS = {lab.number: lab for lab in all_labs()}
SEED, OTHER = 17, 18


def program(*arguments, status=0, **environment):
    """What lab.py prints; it must end with `status`."""
    done = subprocess.run([sys.executable, ROOT / "tools/labs/lab.py", *arguments], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, check=False, env={**os.environ, **environment})
    assert done.returncode == status, done.stdout
    return done.stdout


def check(lab, name, holes="", seed=SEED, answers=None):
    """The verdicts on the files in `holes` ("": the solution), {test number: why it failed}; and the machine's Output."""
    out = harness.FOLDER / f"lab-{lab.number}-{name}"
    verdicts, output = grade.check(lab, seed, holes or lab.folder / "check/none", answers, out)
    assert verdicts, "the files cannot be compiled"
    return {number: why for number, why in enumerate(verdicts, 1) if why}, output


def body(text, function):
    """A function's text, or a macro's."""
    match = (re.search(rf"(?ms)^\w[^\n;]*\b{function}\([^;{{]*\)\n\{{\n.*?^\}}\n", text) or
             re.search(rf"(?ms)^\t\.macro {function}\n.*?^\t\.endm\n", text))
    assert match, f"there is no {function}"
    return match[0]


def solved(path, function, given):
    """A function of the tree's file, after the static functions that it calls and that are not `given` by the hole file."""
    text = path.read_text()
    own = body(text, function)
    helpers = [name for name in re.findall(r"(?m)^static (?!inline)[^\n;=]*?\b(\w+)\(", text)
               if re.search(rf"\b{name}\(", own) and name != function and not re.search(rf"(?m)^static [^\n;=]*\b{name}\(", given)]
    return "\n".join([*(body(text, name) for name in dict.fromkeys(helpers)), own])


def holes_with(folder, lab, stub=None, mutant=None):
    """A folder of holes, from the student's files, in which all is solved but `stub`, or but a mistake."""
    for hole in HOLES[lab.number]:
        path = folder / hole.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copyfile(lab.folder / "holes" / hole.file, path)
        if hole is not stub:
            text = path.read_text()
            path.write_text(text.replace(body(text, hole.function), solved(ROOT / hole.file, hole.function, text)))
    if mutant:
        path = folder / mutant.file
        text = path.read_text()
        assert text.count(mutant.old) == 1, f"{mutant.name}: {mutant.old!r} is there {text.count(mutant.old)} times"
        path.write_text(text.replace(mutant.old, mutant.new))
    return folder


def solution_passes(lab):
    """The tree's own code passes, and the answers do not stay in the log. Returns them."""
    failed, output = check(lab, "solution")
    assert not failed
    answers = lab.check.keys(output)
    assert answers
    for boot in lab.boots:
        this = output.of(boot)
        this.log = (grade.run_folder(harness.FOLDER / f"lab-{lab.number}-solution", boot) / "glasshouse.log").read_text()
        assert this.log
    assert not lab.check.keys(output), "the answers stand in the log that stays"
    return answers


def other_seed_passes(lab, answers):
    """The tree's own code passes for another seed, whose answers are not those of the first."""
    failed, output = check(lab, "solution", seed=OTHER, answers=answers)
    assert lab.check.keys(output) != answers
    assert failed and all(lab.tests[test - 1].by == "answer" for test in failed)


LINUX = [number for number, lab in LABS.items() if hasattr(lab.check, "LINUX_GUEST")]


@pytest.mark.parametrize("number", LABS)
def test_solution(number):
    """The tree's own code passes, for two seeds; their answers differ, and those of one fail for the other."""
    answers = solution_passes(LABS[number])
    if number not in LINUX:
        other_seed_passes(LABS[number], answers)


@pytest.mark.soak
@pytest.mark.parametrize("number", LINUX)
def test_linux_by_two_seeds(number):
    """The same for two seeds, of labs whose guest is Linux, which takes longer."""
    other_seed_passes(LABS[number], solution_passes(LABS[number]))


def test_flags():
    """build/flags has the flags of all files, not those of one: a lab, built by another make, would compile all again."""
    assert "-O2" in (ROOT / "build/flags").read_text() and "-Os" not in (ROOT / "build/flags").read_text()


@pytest.mark.parametrize("number", LABS)
def test_untouched(number):
    """The files as they are handed out compile; the first test fails, with its hint, and the answers are missing."""
    lab = LABS[number]
    told = program("check", str(number), status=1)
    assert re.search(rf"^1\.\.{len(lab.tests)}\nnot ok 1 - {lab.tests[0].name}: ", told, re.M), told
    assert f"The first test that failed is 1, {lab.tests[0].name}: " in told
    assert lab.tests[0].hint.split(".")[0] in " ".join(told.split())
    assert lab.tests[0].more.split(".")[0] in " ".join(program("hint", str(number)).split())
    assert re.search(rf"make lab-{number}-check .* \d+ of {len(lab.tests)} tests pass \(SEED=1\)", program("list"))


def test_handin(tmp_path, monkeypatch, capsys):
    """`make handin` packs the student's files, answers and results, and the number that these were made with."""
    monkeypatch.setattr(grade, "output_folder", lambda lab, _solution: tmp_path / lab.folder.name)
    monkeypatch.setattr(lab_program, "changed_besides", lambda: ["vmm/vmx/exits.c"])
    monkeypatch.delenv("SEED", raising=False)
    for number in 1, 2:
        path = grade.output_folder(LABS[number], False) / lab_program.LAST
        path.parent.mkdir()
        path.write_text(f"# lab {number}, SEED=4711, Glasshouse 1\n1..1\nok 1 - a\n")
    lab_program.handin()
    told = capsys.readouterr().out
    assert "SEED 4711\nchanged: vmm/vmx/exits.c\nlab 1: checked\n" in told and "lab 3: never checked\n" in told
    with tarfile.open(ROOT / "build/handin.tar.gz") as archive:
        names = archive.getnames()
        assert archive.extractfile("handin/ABOUT").read().decode() in told
        for lab in LABS.values():
            text = archive.extractfile(f"handin/{lab.folder.name}/answers.txt").read()
            assert text == (lab.folder / "answers.txt").read_bytes()
            assert all(f"handin/{lab.folder.name}/holes/{hole.file}" in names for hole in HOLES[lab.number])
    for seed in "4711", "5":
        path.write_text(f"# lab 2, SEED={seed}, Glasshouse 1\n1..1\nok 1 - a\n")
        monkeypatch.setenv("SEED", "4712" if seed == "4711" else "4711")
        with pytest.raises(SystemExit, match=f"lab {1 if seed == '4711' else 2} was checked with SEED={seed}"):
            lab_program.handin()


def test_terminal():
    """`make lab-1` stops before the first instruction; the monitor tells what breaks the VMCS, and the CPU agrees."""
    lab = LABS[1]
    fields = re.findall(r'"(\w+)"', lab.check.macros(Seed(SEED, 1), 0)["LAB_BROKEN_FIELDS"])
    with terminal("lab-1-terminal", "labs/lab.py", "run", "1", SOLUTION="1", SEED=str(SEED), BROKEN="2") as this:
        this.expect("Lab 1: .*SEED=17")
        this.expect(grade.ENTERED)
        this.type("\x14")
        this.expect("glasshouse\\) ")
        this.type("vmcs check\r")
        this.expect(rf"broken: .*{fields[1]} is (?s:.*)glasshouse\) ")
        this.type("resume\r")
        this.expect("VM entry failed")
        this.expect(rf"broken: .*{fields[1]} is ")


@pytest.mark.soak
@pytest.mark.parametrize("number, hole", [(n, hole) for n in LABS for hole in HOLES[n]],
                         ids=lambda value: getattr(value, "function", value))
def test_stub(number, hole, tmp_path):
    """With all other holes filled, a stub is found by its own test, before the others."""
    failed, output = check(LABS[number], hole.function, holes_with(tmp_path, LABS[number], stub=hole))
    assert min(failed) == hole.test, failed
    message = f"{hole.function}() is yours to write"
    assert message in output.log or message not in (LABS[number].folder / "holes" / hole.file).read_text()


def found(number, mutant, tmp_path):
    """The test that is meant for the mutant finds it first."""
    failed, _ = check(LABS[number], mutant.name, holes_with(tmp_path, LABS[number], mutant=mutant))
    assert failed and min(failed) == mutant.test, failed


def mutants(quick):
    """Parameters: the mutants of `make test`, or the others."""
    return [pytest.param(n, mutant, id=f"{n}-{mutant.name}") for n in LABS for mutant in MUTANTS[n]
            if (mutant.name in QUICK[n]) == quick]


@pytest.mark.parametrize("number, mutant", mutants(True))
def test_mutant(number, mutant, tmp_path):
    """Mistakes that students make."""
    found(number, mutant, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("number, mutant", mutants(False))
def test_more_mutants(number, mutant, tmp_path):
    """More of them."""
    found(number, mutant, tmp_path)


@pytest.mark.soak
def test_moved_line(tmp_path):
    """A line more in a file moves a marker: its answer moves, too; the old one fails, and no other answer changes."""
    lab = LABS[2]
    first = lab.check.keys(check(lab, "in-place")[1])
    file, line = first["enter"].split(":")
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("\n" + (ROOT / file).read_text())
    failed, output = check(lab, "moved", tmp_path, answers=first)
    now = lab.check.keys(output)
    assert now == {**first, "enter": f"{path}:{int(line) + 1}"}
    assert [lab.tests[number - 1].name for number in failed] == ["enter"]


@pytest.mark.parametrize("number", LABS)
def test_enough_mutants(number):
    """Each lab has three mistakes at least, and one for the test of each function that students write."""
    assert len(MUTANTS[number]) >= 3
    assert {hole.test for hole in HOLES[number]} <= {mutant.test for mutant in MUTANTS[number]}


def test_seeds():
    """What a seed chooses depends on it, on the lab and on the name; and never changes."""
    numbers = {Seed(seed, lab).number(name, 1000) for seed in range(20) for lab in (1, 2) for name in ("port", "leaf")}
    assert len(numbers) > 70
    assert Seed(17, 1).number("port", 1000) == 67
    chosen = Seed(17, 1).choose("field", "abcdefgh", 3)
    assert len(set(chosen)) == 3 and chosen != Seed(18, 1).choose("field", "abcdefgh", 3)


def test_verdict_needs_all():
    """No result is not a pass: neither of Glasshouse's tests nor of the guest's."""
    lab = LABS[1]
    for serial in "\n", "\nok 1 - a\nok 2 - b\n", "\nok 1 - a\n1..2\n", "\nok 1 - a\nnot ok 2 - b\n1..2\n":
        verdicts = grade.judge(lab, grade.Output("ok 1\nok 2\nnot ok 2 - why\nok 3\n", grade.ENTERED + serial), {})
        assert verdicts[0] is None and verdicts[1] == "why" and verdicts[2] is None
        assert all(verdicts[3:])
    told = "ok 1 - a\nok 2 - b\n1..2\n"
    assert grade.judge(lab, grade.Output("", f"ok 3\n{grade.ENTERED}\n{told}"), {})[5] is None
    assert grade.judge(lab, grade.Output("", told), {})[5]


def test_answer_with_zeros():
    """An answer may have 0x and leading zeros."""
    assert [plain(text) for text in ("guest_cr3 0x0012F000", "0x0", "000", "10", "vmm/vmx/exits.c:20")] == \
        ["guest_cr3 12f000", "0", "0", "10", "vmm/vmx/exits.c:20"]


@pytest.mark.soak
def test_broken_fields(monkeypatch):
    """Lab 1: each field that can be broken breaks one rule, and its own."""
    lab = Lab(LABS[1].folder)
    fields = lab.check.FIELDS
    monkeypatch.setattr(lab.check, "macros", lambda *_: {
        "LAB_BROKEN": "0", "LAB_BROKEN_FIELDS": ", ".join(f'{{"{name}", {flip:#x}ull}}' for name, flip in fields.items())})
    keys = lab.check.keys(check(lab, "fields")[1])
    assert [value.split()[0] for value in keys.values()] == list(fields)
