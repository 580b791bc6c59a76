#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes hard disk images like those of an installed system, without root rights and loop devices.

The first sector is GRUB's boot.img with a partition table; GRUB's core image follows in the gap before
the only partition, an ext2 file system whose /boot has grub.cfg, the kernel and the initrd.
"""
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import mkiso

PARTITION_START = 2048  # sectors, as partitioning tools choose it
BOOT_CODE = 440         # bytes of boot.img in the first sector, before disk id and partition table
GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = "biosdisk part_msdos ext2 normal linux multiboot2 cmostest".split()


def run(*command):
    """Runs a tool. RuntimeError with its output if it fails."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, env=dict(os.environ, PATH=path), check=False)
    if done.returncode:
        raise RuntimeError(f"mkdisk: {command[0]} failed:\n{done.stdout}")


def partition_table(sectors):
    """The last 72 bytes of a master boot record: one active Linux partition of `sectors` sectors."""
    anywhere = b"\xfe\xff\xff"  # cylinder, head, sector: the value for addresses out of range
    entry = struct.pack("<B3sB3sII", 0x80, anywhere, 0x83, anywhere, PARTITION_START, sectors)
    return struct.pack("<IH", 0x68732067, 0) + entry + bytes(48) + b"\x55\xaa"


def core_image(work):
    """GRUB's core image. It looks for its files on the first partition of its boot disk."""
    core = work / "core.img"
    run("grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-p", "(,msdos1)/boot/grub", "-o", core,
        *MODULES)
    data = core.read_bytes()
    # The block list at the end of the first sector must match a core image that starts in sector 1,
    # where boot.img loads it from.
    start, count = struct.unpack_from("<QH", data, mkiso.SECTOR - 12)
    assert start == 2 and count == -(-len(data) // mkiso.SECTOR) - 1, "grub-mkimage's block list"
    assert len(data) <= (PARTITION_START - 1) * mkiso.SECTOR, "GRUB's core image is larger than the gap"
    return data


def file_system(work, text, files):
    """Makes an ext2 file system with `text` as grub.cfg and `files`, {path: source}, below /boot."""
    tree = work / "root"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/grub.cfg").write_text(text)
    for name, path in files.items():
        (tree / "boot" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tree / "boot" / name)
    size = sum(path.stat().st_size for path in files.values())
    image = work / "partition"
    run("mke2fs", "-q", "-t", "ext2", "-d", tree, image, f"{size // 1024 + 8192}k")
    return image


def make_disk(out, text, files):
    """Writes the disk image `out`, with `text` as grub.cfg and `files`, {path: source}, below /boot.

    mkiso.grub_cfg() returns `text` and `files`. Returns the image's path.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        work = Path(work)
        core = core_image(work)
        partition = file_system(work, text, files)
        record = (GRUB / "boot.img").read_bytes()[:BOOT_CODE]
        new = work / "disk"
        with new.open("wb") as disk:
            disk.write(record + partition_table(partition.stat().st_size // mkiso.SECTOR) + core)
            disk.seek(PARTITION_START * mkiso.SECTOR)
            with partition.open("rb") as data:
                shutil.copyfileobj(data, disk)
        size = new.stat().st_size
        os.truncate(new, -(-size // mkiso.CYLINDER) * mkiso.CYLINDER)
        new.replace(out)
    return out
