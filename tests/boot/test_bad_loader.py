# SPDX-License-Identifier: MIT
"""A boot loader that passes wrong boot information: Glasshouse reports it on every console and stops."""
import re
import struct

import pytest

import bochs
import harness
import mkiso

LIAR = mkiso.BUILD / "guest" / "liar.img"
GUEST = mkiso.BUILD / "guest" / "conformance.img"
MIB = 1 << 20
MEMORY = 64

# Addresses of the parts in memory. The loader (guests/liar) itself is at 16 MiB.
IMAGE, INFO, KERNEL = 32 * MIB, 36 * MIB, 40 * MIB
RAM = [(0, 0x9f000, 1), (MIB, (MEMORY - 1) * MIB, 1)]


def tag(kind, data):
    """One tag of the boot information."""
    return struct.pack("<II", kind, 8 + len(data)) + data + bytes(-len(data) % 8)


def module(start, size, string="linux cpus=1"):
    """A module's tag."""
    return tag(3, struct.pack("<II", start, (start + size) & 0xffffffff) + string.encode() + b"\0")


def memory(ranges=None, entry_size=24):
    """The memory map tag, of (start, size, type) ranges; by default the machine's real map."""
    entries = b"".join(struct.pack("<QQII", *entry, 0) for entry in (RAM if ranges is None else ranges))
    return tag(6, struct.pack("<II", entry_size, 0) + entries)


def info(*tags, size=None):
    """The whole boot information; `size`: the value of total_size, by default the right one."""
    body = b"".join(tags) + tag(21, struct.pack("<I", IMAGE)) + tag(0, b"")
    return struct.pack("<II", 8 + len(body) if size is None else size, 0) + body


def image():
    """Glasshouse's memory image, and the offset of its entry point."""
    elf = mkiso.ELF.read_bytes()
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    loads = [struct.unpack_from("<II6Q", elf, headers + i * size) for i in range(count)]
    loads = [load for load in loads if load[0] == 1]
    base = loads[0][3]
    flat = bytearray(max(load[3] + load[6] for load in loads) - base)
    for _, _, offset, virtual, _, in_file, _, _ in loads:
        flat[virtual - base:virtual - base + in_file] = elf[offset:offset + in_file]
    return bytes(flat), entry - base


def spec(name, boot_information, left="", guest=GUEST):
    """The boot of a loader that passes `boot_information` to Glasshouse, and has `guest` at KERNEL.

    `left`: what the loader leaves on in the CPU, in the words of guests/liar/main.c.
    """
    flat, entry = image()
    pieces = [(IMAGE, flat), (INFO, boot_information), (KERNEL, guest.read_bytes())]
    path = harness.FOLDER / f"{name}.pieces"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<II", IMAGE + entry, INFO) + b"".join(
        struct.pack("<II", at, len(data) + -len(data) % 8) + data + bytes(-len(data) % 8)
        for at, data in pieces))
    return mkiso.native(LIAR, left, path)


def lie(name, boot_information, commands=None, left="", model="corei7_skylake_x", guest=GUEST):
    """Boots that loader in a machine of MEMORY MiB."""
    return harness.boot(f"liar-{name}", spec(name, boot_information, left, guest), model, memory=MEMORY,
                        ignore_bad_msrs=False, commands=commands)


def test_truth():
    """With correct boot information the guest starts, so the failures below come from the wrong values."""
    run = lie("truth", info(memory(), module(KERNEL, GUEST.stat().st_size)))
    assert run.wait() == "power-off"
    assert run.results()


def test_memory_types():
    """Persistent memory keeps its type in the guest's map; an unknown type becomes reserved, not dropped."""
    ranges = RAM + [(4 << 30, 1 << 30, 7), (6 << 30, 1 << 30, 12)]
    guest = mkiso.BUILD / "guest" / "loaded.img"
    run = lie("types", info(memory(ranges), module(KERNEL, guest.stat().st_size, "linux first=1")), guest=guest)
    assert run.wait() == "power-off"
    assert run.results()
    told = re.findall(r"^# e820: (\S+) type (\d+)", run.text, re.M)
    assert ("100000000-140000000", "7") in told and ("180000000-1c0000000", "2") in told


KERNEL_TAG = module(KERNEL, GUEST.stat().st_size) if GUEST.exists() else b""
# EFLAGS with "nested task", which makes IRET #GP; CR4.CET, which needs CR0.WP, and IA32_S_CET: #CP at an
# indirect jump that nobody expects.
NT = "eflags=16386"
CET = f"cr0={1 << 16} cr4={1 << 23} scet={0x14}"


@pytest.mark.parametrize("name, model, left", [
    ("breakpoint", "corei7_skylake_x", f"watch={0xb8000}"),
    ("nmi", "corei7_skylake_x", f"nmi=2400 {NT}"),  # 2 ms: before the boot CPU has its own TSS
    ("cet", "tigerlake", CET),
    ("la57", "sapphire_rapids", f"cr4={1 << 12}"),
])
def test_left_on(name, model, left):
    """What a loader leaves on in the CPU does not survive our entry."""
    run = lie(f"left-{name}", info(memory(), KERNEL_TAG), None, left, model)
    assert run.wait() == "power-off"
    assert run.results()


NOWHERE = 'The module "{}" at {}, {} bytes, is not in memory that the firmware reports'


LIES = [
    ("beyond-ram", info(memory(), module(0x70000000, 0x1000)),
     NOWHERE.format("linux cpus=1", "70000000", 4096)),
    ("at-the-top", info(memory(), module(0xfffff000, 0xfff)),
     NOWHERE.format("linux cpus=1", "fffff000", 4095)),
    ("partly-beyond", info(memory(), module(KERNEL, 64 * MIB)),
     NOWHERE.format("linux cpus=1", "2800000", 64 * MIB)),
    ("over-a-hole", info(memory([RAM[0], (MIB, 45 * MIB, 1), (50 * MIB, 14 * MIB, 1)]),
                         module(KERNEL, 12 * MIB)), NOWHERE.format("linux cpus=1", "2800000", 12 * MIB)),
    ("initrd", info(memory(), KERNEL_TAG, module(0x7ffff000, 0x2000, "initrd")),
     NOWHERE.format("initrd", "7ffff000", 8192)),
    ("multiboot", info(memory(), module(0x70000000, 0x2000, "multiboot2 x")),
     "module multiboot2: 8192 bytes at guest-physical 0x70000000 are not in memory"),
    ("raw", info(memory(), module(0x70000000, 512, "raw")), NOWHERE.format("raw", "70000000", 512)),
    ("empty", info(memory(), module(KERNEL, 0)), "module linux: size is 0: too small"),
    ("backwards", info(memory(), module(KERNEL, -0x1000)), "a module starts at 0x2800000 but ends at"),
    ("no-memory", info(KERNEL_TAG), "no memory map"),
    ("entry-size", info(memory(entry_size=3), KERNEL_TAG), "entry_size is 3"),
    ("wraps", info(memory([(0, (1 << 64) - 1, 1), (1 << 63, 1 << 63, 1)]), KERNEL_TAG),
     "the memory map has an invalid range, 0xffffffffffffffff bytes of RAM at 0"),
    ("tiny-memory", info(memory([(0, 0x9f000, 1)]), KERNEL_TAG), "no room for Glasshouse's own memory"),
    ("size", info(memory(), size=4), "total_size is 4, not from"),
    ("size-huge", info(memory(), size=0xfffffff8), "total_size is 4294967288, not from"),
]


@pytest.mark.parametrize("name, boot_information, words", LIES, ids=[name for name, *_ in LIES])
def test_lie(name, boot_information, words):
    """The message names field and value on every console."""
    run = lie(name, boot_information, bochs.SCREEN)
    screen = run.screen()
    for text in (run.text, run.log("com2.log"), run.log("glasshouse.log")):
        assert words in text
    # The message may have scrolled off the screen.
    rows = sum(len(line) // 80 + 1 for line in run.text.partition(words)[2].splitlines())
    assert words in screen or rows > 24
    assert "Glasshouse has stopped" in screen
    assert "Entering the guest" not in run.text
