#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes disk images for UEFI, without root rights and loop devices.

A GUID partition table with one partition, the EFI system partition: a FAT32 file system.
"""
import os
import struct
import uuid
import zlib
from pathlib import Path

import mkacpi
import mkdisk
import mkiso

START = 2048           # the partition's first sector, as partitioning tools choose it
ENTRIES = 128          # of 128 bytes each
TABLE = ENTRIES * 128 // mkiso.SECTOR
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
# The same files must make the same image, so that boots take the same number of ticks.
DISK = uuid.UUID("67686f75-7365-4000-8000-000000000001")
PARTITION = uuid.UUID("67686f75-7365-4000-8000-000000000002")
SERIAL = "67687368"
DATE = "946684800"

# Debian's GRUB. It reads grub.cfg in \EFI\debian of the file system that it is on.
MODULES = Path("/usr/lib/grub/x86_64-efi")
GRUB = MODULES / "monolithic" / "grubx64.efi"

EFI = mkiso.BUILD / "glasshouse.efi"
ACPI = mkiso.BUILD / "guest" / "acpi.efi"

# The file that firmware starts where no boot entry says otherwise.
REMOVABLE = "EFI/BOOT/BOOTX64.EFI"


def partition_tables(sectors):
    """The tables of a disk of `sectors` sectors: those at its start, and those at its end."""
    last = sectors - 1
    entry = struct.pack("<16s16sQQQ72s", ESP.bytes_le, PARTITION.bytes_le, START, last - TABLE - 1, 0,
                        "EFI system partition".encode("utf-16-le"))
    entries = entry.ljust(ENTRIES * 128, b"\0")

    def header(here, other, table):
        def pack(checksum):
            return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, checksum, 0, here, other,
                               2 + TABLE, last - TABLE - 1, DISK.bytes_le, table, ENTRIES, 128,
                               zlib.crc32(entries))
        return pack(zlib.crc32(pack(0))).ljust(mkiso.SECTOR, b"\0")

    protective = struct.pack("<B3sB3sII", 0, b"\0\x02\0", 0xee, b"\xff\xff\xff", 1, min(last, 0xffffffff))
    record = (bytes(446) + protective).ljust(510, b"\0") + b"\x55\xaa"
    return record + header(1, last, 2) + entries, entries + header(last, 1, last - TABLE)


def modules(command):
    """The files with which GRUB loads the module that has `command`, and the modules that it needs, {path: source}."""
    needs = {name: words.split() for name, _, words in
             (line.partition(":") for line in (MODULES / "moddep.lst").read_text().splitlines())}
    wanted = [command]
    for name in wanted:
        wanted += [other for other in needs.get(name, []) if other not in wanted]
    names = ["command.lst", "moddep.lst", *(f"{name}.mod" for name in wanted)]
    return {f"EFI/debian/x86_64-efi/{name}": MODULES / name for name in names}


def debian(boot, acpi=None):
    """The files of an installed Debian whose GRUB starts `boot`, a mkiso.Boot, after loading the ACPI tables `acpi`.

    `acpi`: {name: content}, as mkacpi.tables() returns it.
    """
    text, files = mkiso.grub_cfg(boot)
    acpi = {f"acpi/{name}": data for name, data in (acpi or {}).items()}
    if acpi:
        text = " ".join(["acpi", *(f"/{name}" for name in acpi)]) + "\n" + text
    # It has Linux' loader built in, and no multiboot2.
    more = modules(boot.command) if boot.command != "linux" else {}
    return {"EFI/debian/grubx64.efi": GRUB, "EFI/debian/grub.cfg": text.encode(), **more, **acpi,
            **{f"boot/{name}": path for name, path in files.items()}}


def started_by_acpi(files, program, cpus, words=""):
    """The files with a program at the removable path that gives a PC of `cpus` CPUs ACPI tables and starts `program`.

    `program`: its path among the files, with the load options `words`. It is guests/efi/acpi.c.
    """
    tables = {f"acpi/{name}": data for name, data in mkacpi.tables(cpus).items()}
    start = "\\" + program.replace("/", "\\") + (f" {words}" if words else "")
    return files | tables | {"acpi/start.txt": f"{start}\n".encode(), REMOVABLE: ACPI}


def installed(boot, cpus):
    """The files of a machine where glasshouse.efi starts an installed Debian with the Linux of `boot`.

    `boot` is as mkiso.glasshouse() makes it; its options go into glasshouse.conf.
    """
    kernel, *initrd = boot.modules
    native = mkiso.native(kernel.path, kernel.words.partition("linux ")[2], initrd[0].path if initrd else None)
    files = debian(native)
    conf = f"boot=\\EFI\\debian\\grubx64.efi\n{boot.first.words}\n"
    files |= {"EFI/glasshouse/glasshouse.efi": EFI, "EFI/glasshouse/glasshouse.conf": conf.encode()}
    return started_by_acpi(files, "EFI/glasshouse/glasshouse.efi", cpus)


def make_esp(out, files):
    """Writes the disk image `out` with `files`, {path on the EFI system partition: bytes or path}. Returns its path."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    data = {name: what if isinstance(what, bytes) else Path(what).read_bytes() for name, what in files.items()}
    # FAT32 has at least 65525 clusters; smaller file systems would be FAT16.
    size = max(40 << 20, sum(map(len, data.values())) * 9 // 8 + (4 << 20))
    size = -(-size // mkiso.CYLINDER) * mkiso.CYLINDER
    sectors = size // mkiso.SECTOR
    first, last = partition_tables(sectors)
    new = out.with_suffix(".new")
    with new.open("wb") as disk:
        disk.write(first)
        disk.seek(size - len(last))
        disk.write(last)
    there = f"{new}@@{START * mkiso.SECTOR}"
    os.environ["SOURCE_DATE_EPOCH"] = DATE
    mkdisk.run("mformat", "-i", there, "-F", "-c", 1, "-N", SERIAL, "-h", 16, "-s", 63, "-H", START,
               "-T", sectors - START - TABLE - 1, "::")
    folders = {str(parent) for name in data for parent in Path(name).parents if parent.name}
    if folders:
        mkdisk.run("mmd", "-i", there, *(f"::/{folder}" for folder in sorted(folders)))
    source = out.with_suffix(".file")
    for name in sorted(data):
        source.write_bytes(data[name])
        mkdisk.run("mcopy", "-i", there, source, f"::/{name}")
    source.unlink(missing_ok=True)
    new.replace(out)
    return out
