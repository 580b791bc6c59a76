# SPDX-License-Identifier: MIT
"""Boots one ISO on all CPU models of Bochs with VT-x and EPT: Linux and the test guests.

The ISO is made once and is the same for all models; a second drive selects the entry of its menu.
"""
import fcntl
import hashlib
import re

import pytest

import bochs
import harness
import mkiso
import test_disk
import test_linux
import test_monkey

GUESTS = mkiso.BUILD / "guest"
CONFORMANCE, ARCH, MONKEY = (GUESTS / f"{name}.img" for name in ("conformance", "arch", "monkey"))

# The menu; mkiso.choice() sets $words.
MENU = {
    "linux": harness.linux("basic", "", "$words"),
    "conformance": mkiso.glasshouse("", CONFORMANCE, "$words", None),
    "arch": mkiso.glasshouse("", ARCH, "x", None),
    "arch natively": mkiso.native(ARCH, "x", None),
    "second drive": mkiso.Boot(mkiso.Entry(mkiso.ELF, "boot=hd1")),
    "monkey": mkiso.glasshouse("", MONKEY, "$words", None),
}

LYNNFIELD = "corei5_lynnfield_750"  # no unrestricted guest: no real mode, so only one CPU
CAPABLE = [model for model in bochs.CAPABLE if model != LYNNFIELD]
OLD_EPT = (LYNNFIELD, "corei5_arrandale_m520", "corei7_sandy_bridge_2600k", "corei7_ivy_bridge_3770k")
# Test guests use x2APIC mode here.
X2APIC = ("corei7_ivy_bridge_3770k", "broadwell_ult", "corei7_icelake_u", "tigerlake", "sapphire_rapids")


@pytest.fixture(name="iso", scope="module")
def make_the_iso():
    """The path and SHA-256 of the ISO; the first process that needs it makes it."""
    out = harness.FOLDER / "models.iso"
    out.parent.mkdir(parents=True, exist_ok=True)
    with (harness.FOLDER / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sums = out.with_suffix(".sha256")
        if not sums.exists():
            mkiso.write_iso(out, *mkiso.grub_menu(MENU), ["multiboot2", "linux", "configfile"])
            sums.write_text(hashlib.sha256(out.read_bytes()).hexdigest())
        return out, sums.read_text()


def boot(iso, model, entry, words="", cpus=1, **extra):
    """Boots `entry` of the ISO's menu, with $words set to `words`."""
    path, made = iso
    assert hashlib.sha256(path.read_bytes()).hexdigest() == made, "the ISO has changed since it was made"
    name = f"models-{entry.replace(' ', '-')}-{model}"
    second = harness.FOLDER / f"{name}.img"
    second.write_bytes(mkiso.choice(entry, words, test_disk.SECTOR.read_bytes()))
    return harness.boot(name, path, model, cpus, second=second, **extra)


def guest(iso, model, entry, words="", cpus=1):
    """Boots a test guest and asserts that all its tests pass; missing MSRs raise #GP. Returns the Run."""
    run = boot(iso, model, entry, words, cpus, memory=256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
    return run


def cpus_of(model):
    """The number of CPUs for test guests on the model, and the arguments with that and the APIC mode."""
    cpus = 1 if model == LYNNFIELD else 2
    return cpus, f"cpus={cpus} {'apic=x2' if model in X2APIC else ''}".rstrip()


def check_report(text, model):
    """The report at the start lists exactly the features that the model lacks."""
    lacks = re.findall(r"^  Lacks     (.*?):", text, re.M)
    assert lacks == (["unrestricted guest"] if model == LYNNFIELD else [])
    assert ("1 GiB pages, accessed and dirty flags" in text) == (model not in OLD_EPT)
    assert "INVEPT of one context, INVEPT of all" in " ".join(text.split())


@pytest.mark.parametrize("model", CAPABLE)
def test_linux_boots(iso, model):
    """Debian's Linux runs on both CPUs, has the right memory, finds no trace of Glasshouse."""
    run = boot(iso, model, "linux", "gh.cpus=2", 2)
    assert run.wait() == "power-off"
    assert run.results()
    assert test_linux.check_memory(run.text, test_linux.firmware_map(512)) <= 4 * test_linux.MIB


def test_linux_on_boot_cpu(iso):
    """Without unrestricted guest the other CPU cannot start, which is logged; Linux runs on one CPU."""
    run = boot(iso, LYNNFIELD, "linux", "gh.cpus=1", 2)
    assert run.wait() == "power-off"
    assert run.results()
    assert "Lacks     unrestricted guest: no real mode: only a 64-bit guest, on one CPU" in run.text
    assert "vCPU 1 stays stopped" in run.log("com2.log")


@pytest.mark.parametrize("model", bochs.CAPABLE)
def test_conforms(iso, model):
    """The conformance guest passes on the model, and the report lists what the model lacks."""
    cpus, words = cpus_of(model)
    run = guest(iso, model, "conformance", words, cpus)
    assert "# conformance under Glasshouse" in run.text
    check_report(run.text, model)


@pytest.mark.parametrize("model", CAPABLE)
def test_as_native(iso, model):
    """What Glasshouse emulates behaves like the CPU: the same tests pass natively and under it."""
    native = guest(iso, model, "arch natively").results()
    harness.same(native, guest(iso, model, "arch").results())


def test_modes_without_unrestricted_guest(iso):
    """A guest that turns off paging gets #GP, and the reason is logged."""
    run = boot(iso, LYNNFIELD, "arch", memory=256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert "Bail out! exception 13" in run.text
    assert 'which this CPU cannot run as a guest (no "unrestricted guest"): #GP' in run.log("com2.log")


@pytest.mark.parametrize("model", CAPABLE)
def test_sector(iso, model):
    """A boot sector starts as by the firmware, and the BIOS does not report Glasshouse's memory to it."""
    run = guest(iso, model, "second drive")
    test_disk.check_sector(run.text, 0x7c00, 0, 0x81, 256)


def test_no_sector_without_unrestricted_guest(iso):
    """Glasshouse refuses a boot sector on a CPU that cannot run real mode as a guest."""
    run = boot(iso, LYNNFIELD, "second drive")
    run.expect(r"starts in real mode, which this CPU cannot do")
    run.stop()


@pytest.mark.parametrize("number, model", enumerate(bochs.CAPABLE))
def test_monkey_survives(iso, number, model):
    """A short run of the random guest on each model, each with another seed."""
    cpus, words = cpus_of(model)
    run = guest(iso, model, "monkey", f"{words} seed={number + 1} n=1000", cpus)
    test_monkey.check_log(run.log("com2.log"))
