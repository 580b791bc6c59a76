# SPDX-License-Identifier: MIT
"""UEFI: resets, and what starts after each. Every boot tests something else, because OVMF takes long to start in Bochs.

GRUB counts its starts in a byte of the CMOS RAM, by which it knows what is next. So does a GRUB that is a guest.
"""
import re

import pytest

import bochs
import harness
import mkacpi
import mkesp
import mkiso
from mkiso import Boot, Entry

GUEST = mkiso.BUILD / "guest"
CONFORMANCE, RAW, MACH, MODULE = (
    GUEST / name for name in ("conformance.img", "raw.img", "foreign/gnumach", "foreign/example"))
PROGRAM = "EFI/glasshouse/glasshouse.efi"
WRONG = "EFI/wrong/glasshouse.efi"

# GRUB's variable n: how often it has been started before. Between two commands the firmware may read the clock, which
# changes the index of the CMOS RAM, when GRUB loads a file.
COUNT = """\
insmod iorw
insmod test
outb 0x70 0x6d
inb -v n 0x71
"""
STEP = """\
if [ "$n" = {n} ]; then
outb 0x70 0x6d
outb 0x71 {next}
{commands}fi
"""


def disk(name, steps, guests="", extra=None):
    """A disk whose GRUB takes these steps one after the other: each a mkiso.Boot, or GRUB's commands.

    `guests`: the steps at which GRUB is a guest, and has ACPI tables already. `extra`: more files. The machine has two CPUs.
    """
    names, tables = {}, mkacpi.tables(2)
    script = COUNT
    load = " ".join(["acpi", *(f"/acpi/{table}" for table in tables)]) + "\n"
    for n, step in enumerate(steps):
        commands = step if isinstance(step, str) else mkiso.grub_commands(step, names)
        if str(n) not in guests:
            commands = load + commands
        script += STEP.format(n=n, next=n + 1, commands=commands)
    files = mkesp.debian(mkiso.native()) | {"EFI/debian/grub.cfg": script.encode()}
    for module in ("multiboot2", "iorw", "chain", "test", "acpi"):
        files |= mkesp.modules(module)
    files |= {f"acpi/{table}": data for table, data in tables.items()}
    files |= {f"boot/{file}": path for file, path in names.items()}
    files |= {mkesp.REMOVABLE: mkesp.GRUB, PROGRAM: mkesp.EFI}
    return mkesp.make_esp(harness.FOLDER / f"{name}.img", files | (extra or {}))


def boot(name, steps, resets, guests="", files=None):
    """Boots such a disk, with more `files`. Returns a Run."""
    return harness.boot(name, disk(name, steps, guests, files), cpus=2, resets=resets, bios=bochs.OVMF)


def boots(run):
    """The serial output of each start of Glasshouse."""
    return re.split(r"(?m)^Glasshouse (?=\S+$)", run.text)[1:]


def linux(test, append=""):
    """GRUB's commands, as a guest, for a Linux that runs a test."""
    return harness.native_linux(test, f"gh.cpus=2 {append} {bochs.KEEP_WATCHED}")


def chainload(words, program=PROGRAM):
    """GRUB's commands that start glasshouse.efi, which starts GRUB."""
    return f"chainloader /{program} {words} boot=/EFI/debian/grubx64.efi\nboot\n"


def test_chainloader():
    """GRUB's chainloader starts glasshouse.efi, which refuses a glasshouse.conf with a wrong word, and gives GRUB the CPUs back.

    Again, with an option that UEFI excludes.
    Again: it starts this GRUB, this Linux. Glasshouse panics, and resets the machine.
    The same again: a CPU of Linux goes off and on, and Linux finds the log of the panic.
    """
    run = boot("uefi-chainloader", [
        chainload("icr=trap", WRONG) + chainload("ept=off") + chainload("provoke=panic/5000 panic=reset"), linux("exits"),
        chainload("icr=trap"), linux("hotplug", "gh.last=panics_on_CPU_0")], 1, guests="13",
        files={WRONG: mkesp.EFI, WRONG.replace(".efi", ".conf"): b"icr=tarp # a typing error\n"})
    for _ in range(2):
        run.expect("Glasshouse gives the machine back. The end of its log:")
        run.expect("Glasshouse was not started. Press a key.")
        run.send("\r")
    assert run.wait() == "power-off"
    wrong, wrong_by_firmware, refused, panic, hotplug = boots(run)
    assert 'option "icr": "tarp" is not allowed; give lift or trap' in wrong and "Ready?" not in wrong
    assert "Wrong options (above). Correct them in glasshouse.conf, or glasshouse.efi's boot entry or command." in wrong
    assert "Wrong options (above)." in wrong_by_firmware
    assert "CPU 1: ready" in refused and "Leave out ept=off, or start by the BIOS (CSM)." in refused
    assert "panics on CPU 0" in panic
    assert "The boot before this one ended with" in hotplug
    assert harness.tap(hotplug.partition("--- End ---")[2])


def modules(guest, words, *more, opts=""):
    """GRUB loads glasshouse.elf, this guest with these words, and more modules."""
    return Boot(Entry(mkiso.ELF, opts), [Entry(guest, words), *more])


@pytest.mark.soak
def test_after_boot_services():
    """Guests that are no programs of UEFI start after its boot services, with ACPI: code of the role raw, the conformance guest."""
    run = boot("uefi-after", [modules(RAW, "raw addr=0x4000000 mode=64", opts="provoke=panic panic=reset"),
                              modules(CONFORMANCE, "linux cpus=2 rsdp=1 lax=1")], 1)
    assert run.wait() == "power-off"
    raw, conformance = boots(run)
    assert re.search(r"^raw with ACPI$(?s:.*) panics on CPU 0", raw, re.M)
    assert "# conformance under Glasshouse, 2 CPUs" in conformance
    assert harness.tap(conformance)


@pytest.mark.soak
def test_multiboot():
    """A kernel by multiboot 1, with a module. Its first lines get lost: it writes faster than the UART, as OVMF leaves it, sends."""
    run = boot("uefi-multiboot", [modules(MACH, "multiboot console=com0", Entry(MODULE, "module a module"))], 0)
    run.expect("module 0: a module")
    run.expect("1 multiboot modules")
