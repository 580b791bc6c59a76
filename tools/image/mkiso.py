#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes bootable ISOs: GRUB (for a BIOS, on request also for UEFI), Glasshouse, a guest's kernel and initrd.

The ISO is hybrid (a CD or a disk) and padded to whole cylinders, so that Bochs accepts it as a disk.
Usage: mkiso.py OUT, with OPTS, APPEND, GUEST_KERNEL, GUEST_INITRD in the environment.
"""
import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
ELF = BUILD / "glasshouse.elf"
BARE_ELF = BUILD / "bare" / "glasshouse.elf"  # without the rooms that can be left out
GRAPHICS_ELF = BUILD / "glasshouse-graphics.elf"
KERNEL = BUILD / "guest" / "vmlinuz"
INITRD = BUILD / "guest" / "initrd.img"

# Bochs derives a disk's geometry from its size: 16 heads, 63 sectors of 512 bytes.
SECTOR = 512
CYLINDER = 16 * 63 * SECTOR

# The command line of the guest Linux on any machine.
CMDLINE = "console=ttyS0,115200 quiet"


@dataclass
class Entry:
    """A file on the ISO and its command line, which GRUB passes on."""

    path: Path
    words: str = ""


@dataclass
class Boot:
    """What GRUB loads: the first file by the command `command`, the modules by the command `module`."""

    first: Entry
    modules: list = field(default_factory=list)
    command: str = "multiboot2"
    module: str = "module2"
    mode: str = ""  # a graphics mode for the first file, if that accepts one: GRUB's variable gfxpayload


def glasshouse(opts="", kernel=KERNEL, cmdline=CMDLINE, initrd=INITRD, mode=""):
    """GRUB loads Glasshouse, with a Linux kernel and initrd as its modules; if `mode`, in this graphics mode."""
    modules = [Entry(Path(kernel), f"linux {cmdline}")]
    if initrd:
        modules.append(Entry(Path(initrd), "initrd"))
    return Boot(Entry(GRAPHICS_ELF if mode else ELF, opts), modules, mode=mode)


def native(kernel=KERNEL, cmdline=CMDLINE, initrd=INITRD):
    """GRUB loads the same Linux directly, without Glasshouse."""
    modules = [Entry(Path(initrd))] if initrd else []
    return Boot(Entry(Path(kernel), cmdline), modules, "linux", "initrd")


def grub_words(words):
    """The words, each in single quotes, so that GRUB's shell treats no character as special.

    GRUB puts words with spaces into double quotes when it joins them to a command line.
    """
    return " ".join("'" + w.replace("'", "'\\''") + "'" for w in shlex.split(words))


def grub_commands(boot, files):
    """The GRUB commands that load and start `boot`. Adds its files to `files`, {name on the ISO: path}."""

    def line(command, entry):
        name = entry.path.name
        while files.get(name, entry.path) != entry.path:
            name = "_" + name
        files[name] = entry.path
        return f"{command} '/boot/{name}' {grub_words(entry.words)}".rstrip()

    lines = [line(boot.command, boot.first)]
    lines += [line(boot.module, m) for m in boot.modules]
    if boot.mode:
        # The command that loads the first file sets the variable, too.
        lines += ["insmod vbe", f"set gfxpayload={boot.mode}"]
    return "\n".join(lines + ["boot", ""])


def grub_cfg(boot):
    """A grub.cfg that starts `boot` without a menu. Returns the text and {name on the ISO: path}."""
    files = {}
    return grub_commands(boot, files), files


# Before the menu, GRUB runs the commands in the second drive's second sector, which choice() writes.
MENU = """\
set timeout=0
if ! source (hd1)1+1; then set timeout=-1; fi
"""


def grub_menu(boots):
    """A grub.cfg with a menu of `boots`, {name: Boot}. Returns the text and {name on the ISO: path}.

    choice() sets the variable $words that entries use; without it the menu waits for a key.
    """
    files = {}
    entries = []
    for name, boot in boots.items():
        commands = grub_commands(boot, files).replace("'$words'", "$words")
        entries.append(f"menuentry '{name}' {{\n{commands}}}\n")
    return MENU + "".join(entries), files


def choice(name, words, sector=b""):
    """The content of a second drive that selects a menu entry and sets $words; it starts with `sector`."""
    text = f"set default='{name}'\nset words='{words}'\n".encode()
    assert len(sector) <= SECTOR and len(text) <= SECTOR
    return (sector.ljust(SECTOR, b"\0") + text.ljust(SECTOR, b"\n")).ljust(CYLINDER, b"\0")


def make_iso(out, boot, uefi=False):
    """Writes the ISO `out`, which boots `boot`, on request also by UEFI. Returns its path."""
    text, files = grub_cfg(boot)
    if uefi:
        # Under UEFI the console is the screen, in whose mode the guest starts.
        text = "if test $grub_platform = efi; then insmod all_video; fi\n" + text
        return write_iso(out, text, files, [boot.command, "test", "all_video"], folders=())
    return write_iso(out, text, files, [boot.command] + ["vbe"] * bool(boot.mode))


# GRUB's folder for a BIOS, as grub-mkrescue's option. Without it the ISO is for all that are installed.
BIOS_ONLY = ("-d", "/usr/lib/grub/i386-pc")


def write_iso(out, text, files, modules, folders=BIOS_ONLY):
    """Writes the ISO `out` with `text` as grub.cfg, `files` in /boot, and these GRUB modules. Returns its path."""
    out = Path(out)
    for path in files.values():
        if not path.is_file():
            sys.exit(f"mkiso: cannot make {out.name}: there is no file '{path}'")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        tree = Path(work) / "iso"
        (tree / "boot/grub").mkdir(parents=True)
        (tree / "boot/grub/grub.cfg").write_text(text)
        for name, path in files.items():
            shutil.copyfile(path, tree / "boot" / name)
        new = Path(work) / "new.iso"
        # xorriso splits a path at '=': pass names without a folder.
        run = subprocess.run(
            ["grub-mkrescue", *folders,
             f"--install-modules={' '.join(modules)} normal part_msdos part_gpt part_apple",
             "--fonts=", "--locales=", "--themes=", "-o", new.name, tree.name],
            cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode or not new.exists():
            sys.exit(f"mkiso: grub-mkrescue failed for {out.name}:\n{run.stdout}")
        size = new.stat().st_size
        os.truncate(new, -(-size // CYLINDER) * CYLINDER)
        new.replace(out)
    return out


def words_of(name):
    """The words of an environment variable, split by a shell's rules; exits if its quotes are wrong."""
    try:
        return shlex.split(os.environ.get(name, ""))
    except ValueError as error:
        sys.exit(f"{name}={os.environ[name]}: {error}; put a \\ before a quote that is "
                 "part of a word")


def options():
    """The value of OPTS, checked by Glasshouse's own parser; exits if it finds mistakes."""
    # Join the words as GRUB does: escape special characters, quote words with spaces.
    words = [re.sub(r"([\\\"'])", r"\\\1", word) for word in words_of("OPTS")]
    line = " ".join(f'"{word}"' if " " in word else word for word in words)
    if subprocess.run([BUILD / "check-options", line], check=False).returncode:
        sys.exit(f"OPTS={line} has mistakes (above); docs/options.md lists all options")
    return os.environ.get("OPTS", "")


def user_file(name, hint):
    """The path in an environment variable, and the file's first bytes; None, b"" if the variable is empty.

    Exits if the file cannot be read; `hint` says what to give instead.
    """
    if not os.environ.get(name):
        return None, b""
    path = Path(os.environ[name])
    try:
        with path.open("rb") as file:
            start = file.read(0x210)
    except OSError as error:
        if error.errno == errno.EACCES:
            hint = "copy it to a place where you can read it"
        sys.exit(f"{name}={path}: {error.strerror}; {hint}")
    if not start:
        sys.exit(f"{name}={path}: the file is empty; {hint}")
    return path, start


def user_kernel():
    """The kernel that GUEST_KERNEL names, if any; exits if it has no bzImage setup header."""
    hint = "give a Linux kernel: /boot/vmlinuz-..., or arch/x86/boot/bzImage of a kernel build"
    path, start = user_file("GUEST_KERNEL", hint)
    if path and (start[0x1fe:0x200] != b"\x55\xaa" or start[0x202:0x206] != b"HdrS"):
        kind = ("an ELF file, perhaps the vmlinux of a kernel build" if start[:4] == b"\x7fELF"
                else "a file without its setup header (55 AA at 1feh, HdrS at 202h)")
        sys.exit(f"GUEST_KERNEL={path}: this is no bzImage but {kind}; {hint}")
    return path


def from_environment(extra_cmdline=""):
    """The Boot for OPTS, APPEND, GUEST_KERNEL and GUEST_INITRD; exits if one is wrong."""
    opts, kernel = options(), user_kernel() or KERNEL
    if os.environ.get("GUEST_INITRD") == "none":
        initrd = None
    else:
        hint = "give /boot/initrd.img-... or none, or leave it empty for build/guest/initrd.img"
        initrd = user_file("GUEST_INITRD", hint)[0] or INITRD
    cmdline = " ".join([CMDLINE, extra_cmdline, shlex.join(words_of("APPEND"))]).strip()
    return glasshouse(opts, kernel, cmdline, initrd)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: mkiso.py OUT")
    make_iso(sys.argv[1], from_environment(), uefi=True)
