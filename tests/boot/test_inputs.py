# SPDX-License-Identifier: MIT
"""What the boot loader gives is passed on completely, or refused with a message."""
import re

import pytest

import harness
import mkiso
from mkiso import Boot, Entry

LOADED = mkiso.BUILD / "guest" / "loaded.img"
LONG = 4096  # characters


def checksum(data):
    """The checksum of guests/loaded."""
    value = 0
    for byte in data:
        value = (value * 31 + byte) & 0xffffffff
    return value


def file_of(name, size):
    """A file of `size` bytes for an initrd, different for each name."""
    path = harness.FOLDER / f"inputs-{name}.img"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((name.encode() * (size // len(name) + 1))[:size])
    return path


def together(files):
    """The initrd of these files: each begins at a multiple of 4 bytes."""
    data = b""
    for path in files:
        data += bytes(-len(data) % 4) + path.read_bytes()
    return data


def words_of(length):
    """A command line of `length` characters."""
    words = "first=1"
    while len(words) + 1 < length:
        words += " " + "abcdefghijklmnop"[:length - len(words) - 1]
    return words


def check(run, words, files):
    """The guest got exactly these words and the initrd of these files."""
    assert run.wait() == "power-off"
    assert run.results()
    said = dict(re.findall(r"^# (command line|initrd): (.*?)\r?$", run.text, re.M))
    data = together(files)
    assert said == {name: f"{len(text)} bytes, checksum {checksum(text):x}"
                    for name, text in (("command line", words.encode()), ("initrd", data))}


def under(name, words, files, opts="", role="linux"):
    """guests/loaded under Glasshouse, with these words and files."""
    modules = [Entry(LOADED, f"{role} {words}")] + [Entry(path, "initrd") for path in files]
    return harness.boot(f"inputs-{name}", Boot(Entry(mkiso.ELF, opts), modules), ignore_bad_msrs=False)


FILES = [("microcode", 5001), ("main", 300_003), ("more", 7)]


def test_native():
    """GRUB concatenates files this way."""
    files = [file_of(*one) for one in FILES]
    # GRUB's command initrd gets all files in one line.
    initrd = Entry(files[0], " ".join(f"/boot/{path.name}" for path in files[1:]))
    text, names = mkiso.grub_cfg(Boot(Entry(LOADED, "first=1"), [initrd], "linux", "initrd"))
    names.update({path.name: path for path in files})
    iso = mkiso.write_iso(harness.FOLDER / "inputs-native.iso", text, names, ["linux"])
    check(harness.boot("inputs-native", iso, ignore_bad_msrs=False), "first=1", files)


def test_initrds():
    """All modules of the role initrd are concatenated to one initrd, in their order."""
    files = [file_of(*one) for one in FILES]
    check(under("initrds", "first=1", files), "first=1", files)


def test_long_command_lines():
    """4,096 characters for the guest, and as many for Glasshouse."""
    words = words_of(LONG)
    opts = f"{'log=info ' * LONG}"[:LONG // 9 * 9 - 9] + "provoke=".ljust(LONG - (LONG // 9 * 9 - 9), "x")
    assert len(words) == len(opts) == LONG
    run = under("long", words, [], opts)
    check(run, words, [])
    assert f"{opts.split()[-1]}: there is no such failure, ignored" in run.log("glasshouse.log")


def test_many_modules():
    """128 modules: the kernel and 127 files."""
    files = [file_of("many", 1001)] * 127
    check(under("many", "first=1", files), "first=1", files)


@pytest.mark.parametrize("name, length, count, said", [
    ("modules", 10, 128, "there are more than 128 modules, the first that is too many is at 0x"),
    ("characters", 41_000, 0, "the module's string is 41006 characters long, but of the 40960"),
])
def test_too_much(name, length, count, said):
    """Input that does not fit is refused: the guest does not start without it."""
    run = under(f"too-many-{name}", words_of(length), [file_of("many", 1001)] * count)
    run.expect(said)
    run.expect("Glasshouse has stopped")
    run.stop()
    assert "Entering the guest" not in run.text


@pytest.mark.parametrize("role, others", [("linux", "initrd"), ("raw", "none")])
def test_module_without_use(role, others):
    """A guest is not started without a module that was meant for it."""
    guest = Entry(LOADED, f"{role} first=1" if role == "linux" else role)
    spec = Boot(Entry(mkiso.ELF), [guest, Entry(file_of("many", 1001), "intrd")])
    run = harness.boot(f"inputs-unused-{role}", spec)
    run.expect(f'The module "intrd" is of no use to a guest of the role {role}. Modules for it have '
               f'the role: {others}.')
    run.stop()
    assert "Entering the guest" not in run.text
