#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes images of hard disks as an installation leaves them, without root and without loop devices.

The first sector is GRUB's boot.img with a partition table in it, GRUB's core image follows in the
gap, and the one partition holds an ext2 file system with /boot: grub.cfg, the kernel, the initrd.
"""
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import mkiso

PARTITION_START = 2048  # sectors: the gap that partitioning tools leave
BOOT_CODE = 440         # bytes of the first sector that are boot.img's; disk id and partitions follow
GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = "biosdisk part_msdos ext2 normal linux multiboot2 cmostest".split()


def run(*command):
    """Runs a tool; its words are shown when it fails."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, env=dict(os.environ, PATH=path), check=False)
    if done.returncode:
        raise RuntimeError(f"mkdisk: {command[0]} failed:\n{done.stdout}")


def partition_table(sectors):
    """A master boot record's last 72 bytes: one Linux partition, active, of so many sectors."""
    anywhere = b"\xfe\xff\xff"  # cylinder, head, sector: beyond what they can say
    entry = struct.pack("<B3sB3sII", 0x80, anywhere, 0x83, anywhere, PARTITION_START, sectors)
    return struct.pack("<IH", 0x68732067, 0) + entry + bytes(48) + b"\x55\xaa"


def core_image(work):
    """GRUB for the gap: it looks for its files on the first partition of the disk that it came from."""
    core = work / "core.img"
    run("grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-p", "(,msdos1)/boot/grub", "-o", core,
        *MODULES)
    data = core.read_bytes()
    # The first sector has the list of the others' blocks; grub-mkimage has filled it for a core
    # image that begins in sector 1, which is also where boot.img looks for it.
    start, count = struct.unpack_from("<QH", data, mkiso.SECTOR - 12)
    assert start == 2 and count == -(-len(data) // mkiso.SECTOR) - 1, "grub-mkimage's block list"
    assert len(data) <= (PARTITION_START - 1) * mkiso.SECTOR, "GRUB's core image is larger than the gap"
    return data


def file_system(work, text, files):
    """An ext2 file system with `text` as grub.cfg and the files, by path, below /boot."""
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
    """Writes the disk image `out`: its own GRUB reads `text`, the files (by path) are below /boot.

    What mkiso.grub_cfg() returns is such a pair. Returns the image's path.
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
