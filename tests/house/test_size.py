# SPDX-License-Identifier: MIT
"""tools/build/size.py: following one exit, or one boot, does not take more and more reading."""
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


def test_rooms(root):
    """Each folder is counted, without comments and blank lines, and without what is not the hypervisor's."""
    assert size.rooms(root) == {"boot": 2, "lib": 5, "include": 2}


def test_reading(root):
    """A list has its files, what they include, and what that includes, each once."""
    leave, boot = size.readings(root)
    assert (leave.name, leave.recorded, leave.all(root)) == ("exit", 9, {"lib/a.c": 3})
    assert boot.all(root) == {"boot/main.c": 2, "lib/a.h": 2, "include/b.h": 2, "lib/c.def": 0}


@pytest.mark.parametrize("total, grown", [(100, False), (110, False), (111, True)])
def test_grown(root, total, grown):
    """More than a tenth above what was recorded is too much."""
    (root / "lib/a.c").write_text("int a;\n" * total)
    wrong = size.Reading("exit", 100, ["lib/a.c"]).wrong(root)
    assert wrong is None or "has grown to 111 lines" in wrong and "write 'exit 111' there" in wrong
    assert bool(wrong) == grown


def test_missing(root):
    """A file that has moved is named."""
    wrong = size.Reading("exit", 100, ["lib/a.c", "lib/gone.c"]).wrong(root)
    assert wrong.startswith(f"{size.READING}: exit names lib/gone.c, which does not exist.")


@pytest.mark.parametrize("reading", size.readings(), ids=lambda reading: reading.name)
def test_this_tree(reading):
    """The files of the list are there, and are not much more to read than was recorded."""
    assert len(reading.files) > 3
    wrong = reading.wrong()
    if wrong:
        pytest.fail(wrong, pytrace=False)


def test_program():
    """`make size` prints each folder and each list, with their totals."""
    told = subprocess.run([sys.executable, size.__file__], capture_output=True, text=True, check=False).stdout
    for folder, lines in size.rooms().items():
        assert f"{lines:7,}  {folder}\n" in told
    assert f"{size.rooms().total():7,}  in all\n" in told
    for reading in size.readings():
        assert f"What one {reading.name} reads" in told
        assert f"{sum(reading.all().values()):7,}  in {len(reading.all())} files\n" in told
