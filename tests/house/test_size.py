# SPDX-License-Identifier: MIT
"""tools/build/size.py: the code to read for one exit or one boot does not grow unnoticed."""
import subprocess
import sys

import pytest

import size

FILES = {
    "boot/main.c": '/* One\n * comment. */\n#include "lib/a.h"\n\nconst char *s = "/* // "; // text\n',
    "lib/a.h": '#include "b.h"\n#include <stdint.h>\n',
    "lib/a.c": "int a;\nint b;\nint c;\n",
    "include/b.h": '#include "lib/a.h"\n#include "lib/c.def"\n',
    "lib/c.def": "/* empty */\n",
    "tests/unit/a.c": "int a;\n",
    size.READING: "# words\nexit 9\nlib/a.c  # three\n\nboot 6\nboot/main.c\n",
}


@pytest.fixture(name="root")
def small_tree(tmp_path):
    """A tree of a few lines."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_folder_sizes(root):
    """Each folder is counted, without comments, blank lines and files outside of the hypervisor."""
    assert size.folder_sizes(root) == {"boot": 2, "lib": 5, "include": 2}


def test_reading(root):
    """A list has its files and all that they include, directly or not, each once."""
    leave, boot = size.readings(root)
    assert (leave.name, leave.recorded, leave.all(root)) == ("exit", 9, {"lib/a.c": 3})
    assert boot.all(root) == {"boot/main.c": 2, "lib/a.h": 2, "include/b.h": 2, "lib/c.def": 0}


@pytest.mark.parametrize("total, grown", [(100, False), (110, False), (111, True)])
def test_grown(root, total, grown):
    """More than 10 % above the recorded total is a problem."""
    (root / "lib/a.c").write_text("int a;\n" * total)
    problem = size.Reading("exit", 100, ["lib/a.c"]).problem(root)
    assert problem is None or "has grown to 111 lines" in problem and "write 'exit 111' there" in problem
    assert bool(problem) == grown


def test_missing(root):
    """A file that does not exist is reported."""
    problem = size.Reading("exit", 100, ["lib/a.c", "lib/gone.c"]).problem(root)
    assert problem.startswith(f"{size.READING}: exit names lib/gone.c, which does not exist.")


@pytest.mark.parametrize("reading", size.readings(), ids=lambda reading: reading.name)
def test_this_tree(reading):
    """The files of the list exist, and their total is within the limit."""
    assert len(reading.files) > 3
    problem = reading.problem()
    if problem:
        pytest.fail(problem, pytrace=False)


def test_program():
    """`make size` prints each folder and each list, with their totals."""
    told = subprocess.run([sys.executable, size.__file__], capture_output=True, text=True, check=False).stdout
    for folder, lines in size.folder_sizes().items():
        assert f"{lines:7,}  {folder}\n" in told
    assert f"{size.folder_sizes().total():7,}  in total\n" in told
    rooms = sum(size.folder_sizes()[room] for room in size.check_includes.ROOMS)
    assert f"{size.folder_sizes().total() - rooms:7,}  without what an image" in told
    for reading in size.readings():
        assert f"To follow one {reading.name}" in told
        assert f"{sum(reading.all().values()):7,}  in {len(reading.all())} files\n" in told
