#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the disk of the outer machine: GRUB, Debian's cloud kernel with KVM, busybox, this machine's QEMU.

mkouter.py OUT FOLDER: FOLDER has vmlinuz and modules/, as fetch-guest made it.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run")]

import bochs  # noqa: E402  pylint: disable=wrong-import-position
import mkdisk  # noqa: E402  pylint: disable=wrong-import-position
import mkiso  # noqa: E402  pylint: disable=wrong-import-position

INIT = Path(__file__).with_name("init")
BUSYBOX = mkiso.BUILD / "guest" / "busybox"
QEMU = Path("/usr/bin/qemu-system-x86_64")
FIRMWARE = Path("/usr/share/seabios/bios-256k.bin")

# Modules that are loaded before the disk can be read; and later, with parameters that a test chooses.
AT_START = ("ata_piix", "sd_mod")
LATER = ("kvm", "kvm-intel")

# KVM's own speed counts here, so the outer Linux runs without mitigations of CPU vulnerabilities. It is told
# how fast the TSC is: CPUID of skylake_x says 3.5 GHz, with which its clock and all timers would be 70 times slow.
CMDLINE = (f"console=ttyS0,115200 quiet panic=-1 oops=panic mitigations=off tsc_early_khz={bochs.IPS // 1000} "
           f"{bochs.LINUX_QUICK}")


def depends(module):
    """The names of the modules that a module's file says it needs."""
    said = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return said[1].decode().split(",") if said and said[1] else []


def in_order(modules, names):
    """The files of the modules `names` and of all that they need, each after those that it needs."""
    files = {path.stem.replace("-", "_"): path for path in modules.rglob("*.ko")}
    order = []

    def add(name):
        path = files[name.replace("-", "_")]
        for needed in depends(path):
            add(needed)
        if path not in order:
            order.append(path)

    for name in names:
        add(name)
    return order


def strip(modules, folder):
    """Copies of the modules without debug sections, most of which the kernel would check."""
    folder.mkdir(parents=True)
    for number, path in enumerate(modules):
        mkdisk.run("objcopy", "--strip-debug", "-R", ".BTF", "-R", ".BTF_ids", path,
                   folder / f"{number:02}-{path.name}")


def initrd(work, modules):
    """The initial file system: busybox, our init, and the modules that it needs for the disk."""
    tree = work / "initrd"
    for name in ("bin", "dev", "disk", "proc", "sys", "tmp"):
        (tree / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    (tree / "bin/busybox").chmod(0o755)
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in set(listed.stdout.split()) - {"busybox"}:
        (tree / "bin" / applet).symlink_to("busybox")
    shutil.copy(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    strip(modules, tree / "modules")
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree, check=True,
                            input="\n".join(names).encode(), stdout=subprocess.PIPE)
    out = work / "initrd.img"
    out.write_bytes(packed.stdout)
    return out


def qemu_files():
    """QEMU, the libraries that it is linked with, the loader of these, and the PC's firmware."""
    said = subprocess.run(["ldd", QEMU], capture_output=True, text=True, check=True).stdout
    libraries = [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]
    files = [QEMU, FIRMWARE, *libraries]
    return {f"qemu/{path.name}": path for path in files}


def make_outer(out, folder):
    """Writes the disk image `out`."""
    before = in_order(folder / "modules", AT_START)
    after = [path for path in in_order(folder / "modules", LATER) if path not in before]
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        work = Path(work)
        strip(after, work / "kvm")
        files = {"vmlinuz": folder / "vmlinuz", "initrd.img": initrd(work, before)}
        files |= {f"kvm/{path.name}": path for path in (work / "kvm").iterdir()}
        files |= qemu_files()
        text = f"linux /boot/vmlinuz {CMDLINE}\ninitrd /boot/initrd.img\nboot\n"
        mkdisk.make_disk(out, text, files)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: mkouter.py OUT FOLDER")
    make_outer(Path(sys.argv[1]), Path(sys.argv[2]))
