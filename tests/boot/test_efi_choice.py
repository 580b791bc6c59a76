# SPDX-License-Identifier: MIT
"""What is started under UEFI: boot/efi/'s choice, as a program of OVMF in QEMU, which needs no VT-x (guests/efi)."""
import re
import shutil
import struct
import subprocess

import pytest

import harness
import mkiso

OVMF = "/usr/share/ovmf/OVMF.fd"
CHOICE, RETURNS = (mkiso.BUILD / "guest" / f"{name}.efi" for name in ("choice", "returns"))
OWN = "EFI/BOOT/BOOTX64.EFI"
CONF = "EFI/BOOT/glasshouse.conf"
END = b"\x7f\xff\4\0"


def run(name, files):
    """What OVMF's serial console shows for a disk with these files: {path: bytes, or the path of a file}."""
    folder = harness.FOLDER / f"efi-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in ({OWN: CHOICE, "EFI/x/returns.efi": RETURNS} | files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    done = subprocess.run(
        ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", "512", "-bios", OVMF, "-display", "none",
         "-serial", "stdio", "-monitor", "none", "-no-reboot", "-net", "none",
         "-drive", f"format=raw,file=fat:rw:{folder}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=harness.SECONDS, check=True)
    text = re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", done.stdout.decode(errors="replace")).replace("\r", "")
    return re.sub(r" *\n\s*", "\n", text[text.index("options:"):])


def wide(text):
    """UCS-2, with a NUL."""
    return (text + "\0").encode("utf-16le")


def node(kind, subtype, data):
    """A node of a device path."""
    return struct.pack("<BBH", kind, subtype, len(data) + 4) + data


def file(name):
    """A file's node."""
    return node(4, 4, wide(name))


# The partition of QEMU's disk, by the signature of its MBR; and where that is.
PARTITION = node(4, 1, struct.pack("<IQQ", 1, 0, 0) + bytes.fromhex("fafd1abe").ljust(16, b"\0") + b"\1\1")
DISK = (node(2, 1, struct.pack("<II", 0x0a0341d0, 0)) + node(1, 1, b"\2\x1f") +
        node(3, 18, struct.pack("<HHH", 0, 0xffff, 0)))


def entry(title, path, data=b"", attributes=1, length=None):
    """A variable Boot####."""
    return struct.pack("<IH", attributes, len(path) if length is None else length) + wide(title) + path + data


RETURNS_FILE = file("\\EFI\\x\\returns.efi") + END
VARIABLES = {
    "Boot0010": entry("short", PARTITION + RETURNS_FILE, wide("its options")),
    "Boot0011": entry("inactive", PARTITION + RETURNS_FILE, attributes=0),
    "Boot0012": entry("gone", PARTITION + file("\\EFI\\gone.efi") + END),
    "Boot0013": entry("itself", PARTITION + file("\\efi\\boot") + file("BootX64.efi") + END),
    "Boot0014": entry("liar", PARTITION + RETURNS_FILE, length=0xfff0),
    "Boot0015": entry("endless", PARTITION + RETURNS_FILE[:-4]),
    "Boot0016": entry("application", PARTITION + RETURNS_FILE, attributes=0x101),
    "Boot0017": entry("text", PARTITION + file("\\EFI\\BOOT\\glasshouse.conf") + END),
    "Boot0018": entry("file", RETURNS_FILE, attributes=9),
    "Boot0019": entry("next", RETURNS_FILE, wide("once"), attributes=0),
    "Boot001A": entry("disk", DISK + END),
    "Boot001B": b"\1",
}
# The entries are tried as they stand here: OVMF's BootCurrent is not among them.
ORDER = struct.pack("<12H", 0x18, 0x77, *range(0x10, 0x18), 0x1a, 0x1b)


def variables(**extra):
    """The files that make choice.efi set the variables."""
    return {f"vars/{name}": data for name, data in (VARIABLES | {"BootOrder": ORDER} | extra).items()}


def test_entries():
    """BootNext, then BootOrder; each program gets its options; a malformed entry, or itself, is never started."""
    said = run("entries", {CONF: b"# boot=disk\r\nboot=efi\r\n"} | variables(BootNext=b"\x19\0"))
    assert said.partition("\noptions")[0].splitlines() == [
        "options: boot=efi",
        "from: glasshouse.conf",
        "choice: Boot0019 next",
        'returns: "once", BootCurrent 0019',
        "Boot0019 next has returned (EFI status 8000000000000015).",
        'returns: "", BootCurrent 0018',
        "Boot0018 file has returned (EFI status 8000000000000015).",
        'returns: "its options", BootCurrent 0010',
        "Boot0010 short has returned (EFI status 8000000000000015).",
        "Boot0012 gone cannot be started: it is not there.",
        "Boot0017 text cannot be started: it is no program for this firmware, or it is damaged.",
        "choice: the end"]


def test_circle():
    """BootOrder begins behind BootCurrent, and is a circle."""
    order = struct.pack("<3H", 0x10, 0x1c, 0x18)
    current = entry("current", PARTITION + file("\\" + OWN.replace("/", "\\")) + END)
    said = run("circle", variables(BootOrder=order, Boot001C=current, BootCurrent=b"\x1c\0"))
    assert re.findall(r"^returns: .*BootCurrent (\w+)", said, re.M) == ["0018", "0010"]


@pytest.mark.parametrize("name, value, why", [
    ("gone", rb"\EFI\gone.efi", r"boot=\\EFI\\gone.efi: the program cannot be started: it is not there"),
    ("itself", b"/efi/boot/bootx64.EFI", "it is this program itself"),
    ("text", b"/" + CONF.encode(), "it is no program for this firmware"),
    ("bios", b"hd1", r"boot=hd1: a machine with UEFI firmware starts boot=efi"),
    ("long", b"/" + b"d" * 255, r"boot=/d{63}\.\.\. is longer than 250 characters"),
])
def test_refusals(name, value, why):
    """What cannot be started is refused with the reason, and with the list of what is there."""
    long = f"EFI/{'d' * 200}/inner.efi"  # there is no room for its path: it is left out
    said = run(f"refuse-{name}",
               {CONF: b"boot=" + value, "EFI/a/b/deep.efi": b"", "EFI/UP.EFI": b"", long: b""} | variables())
    assert re.search(why, said)
    assert re.findall(r"^Boot(\w+) ", said, re.M) == ["0010", "0012", "0013", "0016", "0017", "001A"]
    programs = set(re.findall(r"^(\\EFI\S*)$", said, re.M))
    assert programs == {r"\EFI\BOOT\BOOTX64.EFI", r"\EFI\x\returns.efi", r"\EFI\UP.EFI"}
    assert "choice: refused" in said


def test_path():
    """A path with slashes or backslashes; the last boot= counts."""
    said = run("path", {CONF: "\ufeffboot=disk\nboot=/EFI/x\\returns.efi".encode("utf-16le")})
    assert 'returns: "", BootCurrent' in said
    assert "/EFI/x\\returns.efi has returned" in said.replace("\\EFI\\x\\", "/EFI/x\\")


def cpio(name, text):
    """A cpio archive (newc) of one program."""
    def item(name, data, mode):
        head = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08X" % field for field in head) + name.encode() + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    return item(name, text, 0o100755) + item("TRAILER!!!", b"", 0)


def test_linux():
    """A kernel with an EFI stub gets its command line, and the initrds as one: the second one's /init runs."""
    init = b'#!/bin/busybox sh\nbusybox mount -t proc p /proc\nbusybox cat /proc/cmdline\nbusybox poweroff -f\n'
    first = (mkiso.BUILD / "guest" / "initrd.img").read_bytes()
    odd = first + bytes(-len(first) % 4 + 1)
    said = run("linux", {
        "modules/0s": b"linux console=ttyS0 quiet panic=-1 a=\"b c\"", "modules/0": mkiso.KERNEL,
        "modules/1s": b"initrd first", "modules/1": odd,
        "modules/2s": b"initrd", "modules/2": cpio("init", init)})
    assert "choice: module linux" in said
    assert 'console=ttyS0 quiet panic=-1 a="b c"' in said


def test_modules():
    """Another guest's modules are no program; a module that Linux does not take is refused."""
    said = run("raw", {"modules/0s": b"raw", "modules/0": b"MZ"})
    assert "choice: no program of the firmware" in said
    said = run("useless", {"modules/0s": b"linux", "modules/0": mkiso.KERNEL, "modules/1s": b"raw", "modules/1": b"x"})
    assert 'The module "raw" is of no use to a guest of the role linux.' in said
    assert "choice: refused" in said
