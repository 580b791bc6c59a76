#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes bootable ISOs: GRUB (BIOS), Glasshouse, a guest's kernel and initrd.

The ISO is hybrid (a CD or a disk) and padded to whole cylinders, so that Bochs takes it as a disk.
As a program: mkiso.py OUT, with OPTS, APPEND, GUEST_KERNEL, GUEST_INITRD from the environment.
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
KERNEL = BUILD / "guest" / "vmlinuz"
INITRD = BUILD / "guest" / "initrd.img"

# Bochs derives a disk's geometry from its size: 16 heads, 63 sectors of 512 bytes.
SECTOR = 512
CYLINDER = 16 * 63 * SECTOR

# What any machine can take.
CMDLINE = "console=ttyS0,115200 quiet"


@dataclass
class Entry:
    """A file for the ISO and the words that GRUB hands on with it."""

    path: Path
    words: str = ""


@dataclass
class Boot:
    """What GRUB loads: the first file by `command`, the others by `module`."""

    first: Entry
    modules: list = field(default_factory=list)
    command: str = "multiboot2"
    module: str = "module2"


def glasshouse(opts="", kernel=KERNEL, cmdline=CMDLINE, initrd=INITRD):
    """GRUB loads Glasshouse, and a Linux for it as modules."""
    modules = [Entry(Path(kernel), f"linux {cmdline}")]
    if initrd:
        modules.append(Entry(Path(initrd), "initrd"))
    return Boot(Entry(ELF, opts), modules)


def native(kernel=KERNEL, cmdline=CMDLINE, initrd=INITRD):
    """The same Linux, loaded by GRUB itself."""
    modules = [Entry(Path(initrd))] if initrd else []
    return Boot(Entry(Path(kernel), cmdline), modules, "linux", "initrd")


def grub_words(words):
    """The words, each in GRUB's single quotes: nothing in them is special to its shell then.

    GRUB itself puts words with spaces into double quotes when it joins them again.
    """
    return " ".join("'" + w.replace("'", "'\\''") + "'" for w in shlex.split(words))


def grub_commands(boot, files):
    """The lines that load and start `boot`. Its files go into `files`, {name on the ISO: file}."""

    def line(command, entry):
        name = entry.path.name
        while files.get(name, entry.path) != entry.path:
            name = "_" + name
        files[name] = entry.path
        return f"{command} '/boot/{name}' {grub_words(entry.words)}".rstrip()

    lines = [line(boot.command, boot.first)]
    lines += [line(boot.module, m) for m in boot.modules]
    return "\n".join(lines + ["boot", ""])


def grub_cfg(boot):
    """The whole grub.cfg: no menu, no waiting. Returns the text and {name on the ISO: file}."""
    files = {}
    return grub_commands(boot, files), files


# What the second drive's second sector says is done before the menu: which entry, and its $words.
MENU = """\
set timeout=0
if ! source (hd1)1+1; then set timeout=-1; fi
"""


def grub_menu(boots):
    """A grub.cfg with a menu of `boots`, {name: Boot}, and {name on the ISO: file}.

    Each entry's word $words stands for those that choice() gives; without a choice the menu waits.
    """
    files = {}
    entries = []
    for name, boot in boots.items():
        commands = grub_commands(boot, files).replace("'$words'", "$words")
        entries.append(f"menuentry '{name}' {{\n{commands}}}\n")
    return MENU + "".join(entries), files


def choice(name, words, sector=b""):
    """A drive that chooses an entry of grub_menu()'s and its words; it begins with `sector`."""
    text = f"set default='{name}'\nset words='{words}'\n".encode()
    assert len(sector) <= SECTOR and len(text) <= SECTOR
    return (sector.ljust(SECTOR, b"\0") + text.ljust(SECTOR, b"\n")).ljust(CYLINDER, b"\0")


def make_iso(out, boot):
    """Writes the ISO `out` that boots `boot`; returns its path."""
    return write_iso(out, *grub_cfg(boot), [boot.command])


def write_iso(out, text, files, modules):
    """Writes the ISO `out` with `text` as its grub.cfg, `files` in /boot, and these modules of GRUB's."""
    out = Path(out)
    for path in files.values():
        if not path.is_file():
            sys.exit(f"mkiso: there is no file '{path}' to put onto {out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        tree = Path(work) / "iso"
        (tree / "boot/grub").mkdir(parents=True)
        (tree / "boot/grub/grub.cfg").write_text(text)
        for name, path in files.items():
            shutil.copyfile(path, tree / "boot" / name)
        new = Path(work) / "new.iso"
        # xorriso takes a path with '=' in it for two: it gets names without a folder.
        run = subprocess.run(
            ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
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
    """The words of an environment variable, quoted as a shell has it; ends if its quotes are wrong."""
    try:
        return shlex.split(os.environ.get(name, ""))
    except ValueError as error:
        sys.exit(f"{name}={os.environ[name]}: {error}; a quote that is meant as such needs a \\ "
                 "before it")


def options():
    """OPTS as it stands, once Glasshouse's own parser has taken it; ends if that names mistakes."""
    # As GRUB hands them on: it escapes what is special, and quotes a word with spaces.
    words = [re.sub(r"([\\\"'])", r"\\\1", word) for word in words_of("OPTS")]
    line = " ".join(f'"{word}"' if " " in word else word for word in words)
    if subprocess.run([BUILD / "check-options", line], check=False).returncode:
        sys.exit(f"OPTS={line} is not what Glasshouse understands (above); docs/options.md has all "
                 "options")
    return os.environ.get("OPTS", "")


def own_file(name, hint):
    """The file that an environment variable names, and its beginning; None, b"" when it names none.

    Ends if it cannot be read; `hint` says what to give.
    """
    if not os.environ.get(name):
        return None, b""
    path = Path(os.environ[name])
    try:
        with path.open("rb") as file:
            start = file.read(0x210)
    except OSError as error:
        if error.errno == errno.EACCES:
            hint = "copy it to where you may read it"
        sys.exit(f"{name}={path}: {error.strerror}; {hint}")
    if not start:
        sys.exit(f"{name}={path}: the file is empty; {hint}")
    return path, start


def own_kernel():
    """The kernel that GUEST_KERNEL names, if any; ends if it has not a bzImage's setup header."""
    hint = "give a Linux kernel: /boot/vmlinuz-..., or arch/x86/boot/bzImage of a built one"
    path, start = own_file("GUEST_KERNEL", hint)
    if path and (start[0x1fe:0x200] != b"\x55\xaa" or start[0x202:0x206] != b"HdrS"):
        kind = ("an ELF file, perhaps the vmlinux that a bzImage is made of" if start[:4] == b"\x7fELF"
                else "a file without its setup header (55 AA at 1feh, HdrS at 202h)")
        sys.exit(f"GUEST_KERNEL={path}: this is no bzImage but {kind}; {hint}")
    return path


def from_environment(extra_cmdline=""):
    """The boot that OPTS, APPEND, GUEST_KERNEL and GUEST_INITRD ask for; ends if one is wrong."""
    opts, kernel = options(), own_kernel() or KERNEL
    if os.environ.get("GUEST_INITRD") == "none":
        initrd = None
    else:
        hint = "give /boot/initrd.img-..., none, or nothing, which is build/guest/initrd.img"
        initrd = own_file("GUEST_INITRD", hint)[0] or INITRD
    cmdline = " ".join([CMDLINE, extra_cmdline, shlex.join(words_of("APPEND"))]).strip()
    return glasshouse(opts, kernel, cmdline, initrd)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: mkiso.py OUT")
    make_iso(sys.argv[1], from_environment())
