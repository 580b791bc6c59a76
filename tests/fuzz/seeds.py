#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seeds.py FOLDER: first inputs for the fuzz targets, one folder per target, made from scratch."""
import struct
import sys
from pathlib import Path


def tag(kind, data):
    """A tag of the multiboot 2 boot information, padded to 8 bytes."""
    return struct.pack("<II", kind, 8 + len(data)) + data + bytes(-len(data) % 8)


def boot_info():
    """Command line, a module, a memory map, a framebuffer, an RSDP, the load base, the end."""
    memory = struct.pack("<II", 24, 0) + struct.pack("<QQII", 1 << 20, 1 << 29, 1, 0) * 3
    tags = [tag(1, b"strict cpus=2\0"), tag(3, struct.pack("<II", 1 << 21, 1 << 22) + b"linux quiet\0"),
            tag(6, memory), tag(8, struct.pack("<QIIIBBH", 0xe0000000, 4096, 1024, 768, 32, 1, 0) + bytes(6)),
            tag(14, b"RSD PTR " + bytes(12)), tag(21, struct.pack("<I", 1 << 21)), tag(0, b"")]
    body = b"".join(tags)
    yield struct.pack("<II", 8 + len(body), 0) + body


def table(name, body, at):
    """An ACPI table for address `at`, padded; the target makes the checksum right."""
    data = name + struct.pack("<IBB", 36 + len(body), 1, 0) + b"GLASSHGLASSHOUS" + bytes(11) + body
    return at, data[:10] + data[10:36].ljust(26, b"\0") + body


def acpi():
    """RSDP, RSDT, MADT, FADT, DSDT."""
    base, memory = 0xe0000, bytearray(2048)
    lapics = b"".join(struct.pack("<BBBBI", 0, 8, i, i, 1) for i in range(3))
    fadt = bytearray(208)
    fadt[4:8] = struct.pack("<I", base + 0x500)
    s5 = b"\x08_S5_\x12\x06\x04\x0a\x05\x0a\x05\0\0"
    for at, data in (table(b"RSDT", struct.pack("<II", base + 0x200, base + 0x300), 0x100),
                     table(b"APIC", struct.pack("<II", 0xfee00000, 1) + lapics, 0x200),
                     table(b"FACP", bytes(fadt), 0x300), table(b"DSDT", s5, 0x500)):
        memory[at:at + len(data)] = data
    memory[0:20] = b"RSD PTR \0GLASSH\0" + struct.pack("<I", base + 0x100)
    yield bytes(memory)


def linux():
    """The smallest image that the 64-bit boot protocol allows, behind the holes and the initrd."""
    image = bytearray(0x600)
    image[0x1f1] = 1
    image[0x1fe:0x202] = b"\x55\xaa\xeb\x66"
    image[0x202:0x208] = b"HdrS" + struct.pack("<H", 0x20f)
    image[0x211] = 1
    image[0x22c:0x230] = struct.pack("<I", 0x7fffffff)
    image[0x230:0x238] = struct.pack("<IBBH", 0x1000, 1, 12, 3)
    image[0x238:0x23c] = struct.pack("<I", 255)
    image[0x258:0x264] = struct.pack("<QI", 0x200000, 0x10000)
    yield struct.pack("<6I", 0, 0, 0, 0, 0x3000, 0x1000) + bytes(image)


def options():
    """Right words and wrong ones."""
    yield b'strict log=debug cpus=2 console=com1,e9 icr=trap icept=pf reserve=4M panic=reset'
    yield b'"provoke=a b" strikt cpus=0x10 reserve=2G boot=\\hd1 console=com9,, log='


def insn():
    """An instruction of each kind; the first byte chooses the mode."""
    for text in ("0289 5010", "02f3a4", "02480fb60425 00000000", "00f00fb10f", "01c70500000000 01000000",
                 "024d8b84c878563412", "020fbaa5000000003f", "0266f2aa"):
        yield bytes.fromhex(text)


for make in (boot_info, acpi, linux, options, insn):
    folder = Path(sys.argv[1]) / f"fuzz_{make.__name__}" / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(make()):
        (folder / str(number)).write_bytes(seed)
