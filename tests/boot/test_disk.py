# SPDX-License-Identifier: MIT
"""Systems installed on drives, and raw modules, which use the machine's own BIOS."""
import re

import pytest

import harness
import mkdisk
import mkiso
import test_linux

SECTOR = mkiso.BUILD / "guest" / "sector.img"
CONFORMANCE = mkiso.BUILD / "guest" / "conformance.img"
STOCK = mkiso.BUILD / "guest" / "stock" / "vmlinuz"
MIB = 1 << 20

# The page with the INT 15h handler, which reports memory, at the end of conventional memory.
RESIDENT = test_linux.LOW - 0x1000


def glasshouse(opts, kernel=SECTOR, role="linux"):
    """Glasshouse with one module, which it ignores with boot=."""
    return mkiso.Boot(mkiso.Entry(mkiso.ELF, opts), [mkiso.Entry(kernel, role)])


def disk_of(name, data):
    """Makes a disk image that begins with `data`."""
    path = harness.FOLDER / f"{name}.img"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.ljust(4 * mkiso.CYLINDER, b"\0"))
    return path


def hexadecimal(text, name):
    """The hexadecimal numbers of each line "# name", as lists."""
    return [[int(word, 16) for word in line.split()]
            for line in re.findall(rf"^# {name}((?: [0-9A-F]{{4}})+)$", text, re.M)]


def e820(text):
    """The memory map that the boot sector printed."""
    out = []
    for words in hexadecimal(text, "e820"):
        kind, size, base = (sum(word << 16 * (n - 1 - i) for i, word in enumerate(part))
                            for part in (words[:2], words[2:6], words[6:])
                            for n in [len(part)])
        names = {1: "usable", 2: "reserved", 3: "ACPI data"}
        out.append((base, base + size, names[kind]))
    return out


def check_sector(text, ip, cs, drive, memory=512):
    """The sector started as by a BIOS, and found all memory except Glasshouse's."""
    [[got_ip, got_cs, dx, flags]] = hexadecimal(text, "start")
    assert (got_ip, got_cs, dx) == (ip, cs, drive)
    assert flags & 0x200, "interrupts are off"

    ranges = e820(text)
    hidden = [r[:2] for r in ranges if r[2] == "reserved" and MIB <= r[0] < memory * MIB]
    assert hidden, "Glasshouse's memory is not reserved"
    given = test_linux.without_holes(ranges, hidden)
    assert given == test_linux.firmware_map(memory, RESIDENT)

    [[conventional, above, low_kib, blocks, low_kib2, blocks2]] = hexadecimal(text, "sizes")
    assert conventional == RESIDENT // 1024
    # Only memory below the first hole: callers add the two sizes of E801h.
    first = hidden[0][0]
    sizes = ((first - MIB) >> 10, 0)
    if first >= 16 * MIB:
        sizes = (15 * 1024, (first - 16 * MIB) >> 16)
    assert (low_kib, blocks) == (low_kib2, blocks2) == sizes
    assert above == min((first - MIB) >> 10, 0xffff)


def check_linux(run):
    """Linux ran on every CPU, found no trace of Glasshouse, and has the rest of the memory."""
    assert run.wait() == "power-off"
    assert run.results()
    assert test_linux.check_memory(run.text, test_linux.firmware_map(512, RESIDENT)) <= 4 * MIB


# A grub.cfg that loads Glasshouse on the machine and Linux under Glasshouse. A bit in the CMOS RAM tells
# the two apart, where a user would choose from a menu.
TWICE = """\
if cmostest 0x6e:0; then
cmosclean 0x6e:0
{linux}fi
cmosset 0x6e:0
multiboot2 /boot/glasshouse.elf boot=disk
boot
"""


@pytest.mark.parametrize("cpus", [pytest.param(1, marks=pytest.mark.soak), 2])
def test_in_place(cpus):
    """A machine with one disk: its GRUB loads Glasshouse, which boots the same disk.

    The kernel is the one that Debian installs on a PC; decompressing itself (XZ) takes most of the time.
    """
    text, files = mkiso.grub_cfg(harness.native_linux("basic", f"gh.cpus={cpus}", kernel=STOCK))
    files["glasshouse.elf"] = mkiso.ELF
    disk = mkdisk.make_disk(harness.FOLDER / f"in-place-{cpus}.img", TWICE.format(linux=text), files)
    check_linux(harness.boot(f"in-place-{cpus}", disk, cpus=cpus, ticks=3 * harness.TICKS))


@pytest.mark.parametrize("opts", ["", " monitor=com1"])
def test_second_disk(opts):
    """Glasshouse on the first disk boots a system with its own GRUB on the second; also when they share COM1."""
    pair = mkiso.grub_cfg(mkiso.native(CONFORMANCE, "", None))
    disk = mkdisk.make_disk(harness.FOLDER / f"second{len(opts)}.img", *pair)
    run = harness.boot(f"second-disk-{len(opts)}", glasshouse("boot=hd1" + opts), ignore_bad_msrs=False, second=disk)
    assert run.wait() == "power-off"
    assert "# conformance under Glasshouse" in run.text
    assert run.results()


def test_natively():
    """The same disk boots natively."""
    pair = mkiso.grub_cfg(mkiso.native(CONFORMANCE, "", None))
    disk = mkdisk.make_disk(harness.FOLDER / "native.img", *pair)
    run = harness.boot("disk-native", disk, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()


def test_cd():
    """A CD boots; Glasshouse finds its drive number."""
    cd = mkiso.make_iso(harness.FOLDER / "cd.iso", mkiso.native(CONFORMANCE, "", None))
    run = harness.boot("cd", glasshouse("boot=cd"), ignore_bad_msrs=False, second=cd)
    assert run.wait() == "power-off"
    assert run.results()


@pytest.mark.parametrize("words, start", [
    ("raw dl=0x80", (0x7c00, 0, 0x80)),
    ("raw addr=0x20000 cs=0x1ff0 dl=1", (0x100, 0x1ff0, 1)),
])
def test_raw(words, start):
    """A boot sector boots as a module."""
    run = harness.boot(f"raw-{start[1]:x}", glasshouse("", SECTOR, words))
    assert run.wait() == "power-off"
    assert run.results()
    check_sector(run.text, *start)


@pytest.mark.parametrize("mode", ["32", "64"])
def test_raw_mode(mode):
    """A binary starts in 32-bit or 64-bit mode."""
    run = harness.boot(f"raw-mode-{mode}",
                       glasshouse("", SECTOR, f"raw addr=0x10000 entry=0x10180 mode={mode}"))
    assert run.wait() == "power-off"
    assert run.results() == [f"{mode}-bit"]


@pytest.mark.parametrize("opts, data, why", [
    ("boot=hd1", b"\0", r"sector of drive 81h \(hd1\) is no boot sector"),
    ("boot=hd1", None, r"sector of drive 81h \(hd1\) cannot be read.* knows 1 hard disk;"),
    ("boot=cd", None, r"There is no CD to boot from"),
])
def test_refusal(opts, data, why):
    """A drive that cannot be booted is refused with a message."""
    name = "refusal-" + re.sub(r"\W+", "-", opts) + ("-" if data else "")
    run = harness.boot(name, glasshouse(opts), second=disk_of(name, data) if data else None)
    run.expect(why)
    run.expect("could not be loaded")
    run.stop()


@pytest.mark.parametrize("value", ["efi", "/EFI/debian/grubx64.efi"])
def test_needs_uefi(value):
    """A program of UEFI cannot be started by a BIOS."""
    run = harness.boot(f"refusal-{value[-3:]}", glasshouse(f"boot={value}"))
    run.expect("boot= names a program of UEFI, but this machine was started by its BIOS")
    run.stop()
