#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seeds.py FOLDER: makes the first inputs for the fuzz targets, one folder per target."""
import random
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
    """An ACPI table for address `at`, padded; the fuzz target corrects the checksum."""
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
    """The words for holes and initrd, then the smallest image that the 64-bit boot protocol allows."""
    image = bytearray(0x600)
    image[0x1f1] = 1
    image[0x1fe:0x202] = b"\x55\xaa\xeb\x66"
    image[0x202:0x208] = b"HdrS" + struct.pack("<H", 0x20f)
    image[0x211] = 1
    image[0x22c:0x230] = struct.pack("<I", 0x7fffffff)
    image[0x230:0x238] = struct.pack("<IBBH", 0x1000, 1, 12, 3)
    image[0x238:0x23c] = struct.pack("<I", 255)
    image[0x258:0x264] = struct.pack("<QI", 0x200000, 0x10000)
    yield struct.pack("<10I", 0, 0, 0, 0, 0x3000, 0x1000, 0x5000, 0x801, 0, 0) + bytes(image)


def elf(header, wide):
    """A kernel of one segment, with a multiboot header (at a multiple of 8) and a section table."""
    ehsize, phsize, shsize = (64, 56, 64) if wide else (52, 32, 40)
    start = ehsize + phsize + -(ehsize + phsize) % 8
    code, at = header + b"\xfa\xf4\xeb\xfd", 0x100000
    sections = start + len(code)
    if wide:
        segment = struct.pack("<IIQQQQQQ", 1, 5, start, at, at, len(code), len(code) + 64, 4096)
        ident = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, at + len(header), ehsize,
                            sections, 0, ehsize, phsize, 1, shsize, 2, 1)
        table = struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, start, 4, 0, 0, 1, 0)
    else:
        segment = struct.pack("<8I", 1, start, at, at, len(code), len(code) + 64, 5, 4096)
        ident = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1, at + len(header), ehsize,
                            sections, 0, ehsize, phsize, 1, shsize, 2, 1)
        table = struct.pack("<10I", 1, 3, 0, 0, start, 4, 0, 0, 1, 0)
    return (ident + segment).ljust(start, b"\0") + code + bytes(shsize) + table


def multiboot():
    """The words for holes and modules, then kernels of both versions, as ELF and with addresses in the header."""
    magic, at = 0x1BADB002, 0x100000

    def place(version2, modules=1):
        return struct.pack("<7I", 0, 0, 0, 0x300000, 0x310000, modules << 30 | 0x1234,
                           version2 << 30 | 1 << 31 | 0x100)

    for flags in (0, 7):
        header = struct.pack("<12I", magic, flags, -(magic + flags) & 0xffffffff, 0, 0, 0, 0, 0, 0, 80, 25, 0)
        yield place(0) + elf(header, False)
    flags = 1 << 16
    yield place(0) + struct.pack("<8I", magic, flags, -(magic + flags) & 0xffffffff, at, at, 0, at + 512,
                                 at + 32).ljust(256, b"\x90")

    def tagged(*tags):
        body = b"".join(struct.pack("<HHI", kind, flags, 8 + len(data)) + data + bytes(-len(data) % 8)
                        for kind, flags, data in (*tags, (0, 0, b"")))
        head = struct.pack("<III", 0xE85250D6, 0, 16 + len(body))
        return head + struct.pack("<I", -(0xE85250D6 + 16 + len(body)) & 0xffffffff) + body

    request = (1, 0, struct.pack("<6I", 1, 3, 4, 6, 8, 9))
    relocatable = (10, 0, struct.pack("<4I", 0, 0x400000, 4096, 2))
    for wide in (False, True):
        yield place(1) + elf(tagged(request, relocatable, (5, 1, struct.pack("<3I", 0, 0, 0)), (6, 0, b"")), wide)
    yield place(1, 0) + tagged((2, 0, struct.pack("<4I", at, at, 0, at + 4096)),
                               (3, 0, struct.pack("<I", at + 128))).ljust(256, b"\x90")


def options():
    """Valid and invalid options."""
    yield b'strict log=debug cpus=2 console=com1,e9 icr=trap icept=pf reserve=4M panic=reset'
    yield b'"provoke=a b" strikt cpus=0x10 reserve=2G boot=\\hd1 console=com9,, log='


def efi():
    """A boot entry, whose data is a volume's path; options as a file and as load options."""
    part = struct.pack("<BBHIQQ", 4, 1, 42, 1, 0, 0) + bytes(range(16)) + b"\2\2"
    name = "\\EFI\\x.efi\0".encode("utf-16le")
    path = part + struct.pack("<BBH", 4, 4, 4 + len(name)) + name + b"\x7f\xff\4\0"
    yield b"\1" + struct.pack("<IH", 1, len(path)) + "Debian\0".encode("utf-16le") + path + part + b"\x7f\xff\4\0"
    yield b'\2# all\r\nboot="\\EFI\\x.efi" # it\ncpus=2\xc3\xbc'
    yield b"\2\xff\xfe" + "boot=/EFI/\u20ac \n".encode("utf-16le")
    yield b"\0" + "FS0:\\gh.efi boot=efi\0".encode("utf-16le")


def insn():
    """An instruction of each kind; the first byte selects the mode."""
    for text in ("0289 5010", "02f3a4", "02480fb60425 00000000", "00f00fb10f", "01c70500000000 01000000",
                 "024d8b84c878563412", "020fbaa5000000003f", "0266f2aa"):
        yield bytes.fromhex(text)


def log():
    """A ring whose checksums the target corrects; then its counters at four later times, and its text."""
    header = struct.pack("<16sIIQQQII", b"glasshouse log", 1, 20424, 40000, 40000, 30000, 0, 0)
    counts = struct.pack("<4Q", 40000, 40100, 90000, 90010)
    for fix in (1, 3, 5):
        yield bytes([fix]) + header + counts + b"Ready?\nEntering the guest.\n"


def monitor():
    """Lines with every key that the editor knows."""
    yield b"he\t\rregs 1\r\nre\tx\b\x1b[D\x1bOC\x01\x05y\x7f\x15\x1b[A\x1b[B\x1b[3~\x03x -p 1f 40\n"


def symbols():
    """An address, and a list in which it lies."""
    lines = [f"{0xffffffff81000000 + 64 * i:016x} T name_{i}" for i in range(20)]
    yield struct.pack("<Q", 0xffffffff81000123) + "\n".join(lines).encode()


def gdb():
    """Packets of a session: as gdb sends them, and one per line."""
    def framed(data):
        return b"$%s#%02x" % (data, sum(data) % 256)

    session = (
        b"qSupported:multiprocess+;swbreak+", b"?", b"qXfer:features:read:target.xml:0,7ff", b"qfThreadInfo", b"qsThreadInfo",
        b"qThreadExtraInfo,2", b"qC", b"qAttached", b"Hg2", b"Hc-1", b"T4", b"g", b"p10", b"P10=0011223344556677", b"m1000,40",
        b"m1ffe,8", b"mffffffff80000000,40", b"M1000,2:cc90", b"X2ffe,2:}\x03}]", b"Z0,1004,1", b"Z0,2004,1", b"Z1,1008,1",
        b"Z2,ffffffff82000000,8", b"Z4,2000,4", b"z0,1004,1", b"qRcmd,72656773", b"vCont?", b"vCont;s:1;c", b"\x01", b"\x03",
        b"vCont;C05:1;s:2", b"\x02", b"vKill;1", b"k", b"D")
    yield b"r+" + b"+".join(map(framed, session[:8] + session[14:28])) + b"\x03"
    yield b"p" + b"\n".join(session)
    yield b"p" + b"\n".join(session[-9:])
    # What is just too much.
    yield b"p" + b"\n".join((
        b"m1000,801", b"m1000,800", b"mffffffff80000050,800", b"M1fff,3:000000", b"Mfff,2:0000", b"X1000,801:" + bytes(0x801),
        b"p4d", b"pff", b"P4d=00", b"P11=00", b"Hg7", b"Hg6", b"Tffffffffffffffff", b"T0", b"qThreadExtraInfo,7",
        b"Z5,1000,1", b"Z2,1001,8", b"Z2,1000,ffffffffffffff08", *(b"Z1,%x,1" % at for at in range(5)),
        *(b"Z0,%x,1" % at for at in range(0x1000, 0x1042)), b"qXfer:features:read:target.xml:ffffff,10",
        b"qXfer:features:read:target.xml:0,ffffffffffffffff", b"qRcmd," + b"61" * 64, b"qRcmd," + b"61" * 63, b"qRcmd,6"))


def shadow():
    """Operations of two CPUs, at random but the same each time."""
    # A PCID gets another root and then, with bit 63, the first one again, of which it must have forgotten all.
    yield bytes.fromhex("01 8140 8f000000000000 8403090000 8141 81c0 8f000000000000")
    # A page with a protection key, before PKRU forbids its use and after it.
    yield bytes.fromhex("00 04c3090000 0f000400000081 0f000400000099")
    # The supervisor writes to a read-only user page, which CR0.WP = 0 allows; then PKRU forbids its use.
    yield bytes.fromhex("00 006004 04c3090200 0f000400000001 0f000400000018")
    # With one vCPU: a table is shielded, and then written to, where it is mapped as a page.
    yield bytes.fromhex("00 0f000000000001 0404090000 0f000000000100 03 0f000000000001 0100 0f000000000100")
    generator = random.Random(1)
    for size in (20, 100, 400, 1000):
        yield bytes(generator.choice((generator.randrange(256), 0, 7)) for _ in range(size))


for make in (boot_info, acpi, linux, multiboot, options, efi, insn, log, monitor, symbols, gdb, shadow):
    folder = Path(sys.argv[1]) / f"fuzz_{make.__name__}" / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(make()):
        (folder / str(number)).write_bytes(seed)
