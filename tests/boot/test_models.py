# SPDX-License-Identifier: MIT
"""One ISO on every CPU model with VT-x and EPT that Bochs has: Linux, and guests of our own.

It is made once, and the same bytes boot everywhere; a second drive says which entry of its menu runs.
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

# The menu. $words are those that a choice gives.
MENU = {
    "linux": harness.linux("basic", "", "$words"),
    "conformance": mkiso.glasshouse("", CONFORMANCE, "$words", None),
    "arch": mkiso.glasshouse("", ARCH, "x", None),
    "arch natively": mkiso.native(ARCH, "x", None),
    "second drive": mkiso.Boot(mkiso.Entry(mkiso.ELF, "boot=hd1")),
    "monkey": mkiso.glasshouse("", MONKEY, "$words", None),
}

LYNNFIELD = "corei5_lynnfield_750"  # has no unrestricted guest: no real mode, so one CPU
CAPABLE = [model for model in bochs.CAPABLE if model != LYNNFIELD]
# Linux boots on these. On the others it does not without Glasshouse either.
LINUX = [model for model in CAPABLE if model not in ("corei7_icelake_u", "tigerlake")]
OLD_EPT = (LYNNFIELD, "corei5_arrandale_m520", "corei7_sandy_bridge_2600k", "corei7_ivy_bridge_3770k")
X2APIC = ("corei7_ivy_bridge_3770k", "broadwell_ult", "corei7_icelake_u", "tigerlake")  # are to use it


@pytest.fixture(name="iso", scope="module")
def make_the_iso():
    """The ISO, and the sum of its bytes; the first process that wants it makes it."""
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
    """Boots the entry, with these words, of the one ISO."""
    path, made = iso
    assert hashlib.sha256(path.read_bytes()).hexdigest() == made, "this is not the ISO that was made"
    name = f"models-{entry.replace(' ', '-')}-{model}"
    second = harness.FOLDER / f"{name}.img"
    second.write_bytes(mkiso.choice(entry, words, test_disk.SECTOR.read_bytes()))
    return harness.boot(name, path, model, cpus, second=second, **extra)


def guest(iso, model, entry, words="", cpus=1):
    """Boots a guest of our own, which passes all its tests and ends; MSRs that the CPU lacks are #GP."""
    run = boot(iso, model, entry, words, cpus, memory=256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
    return run


def cpus_of(model):
    """How many CPUs of the model the guests of our own use, and what tells them that and their mode."""
    cpus = 1 if model == LYNNFIELD else 2
    return cpus, f"cpus={cpus} {'apic=x2' if model in X2APIC else ''}".rstrip()


def check_report(text, model):
    """What the model lacks is named at the start, and nothing else."""
    lacks = re.findall(r"^  Lacks     (.*?):", text, re.M)
    assert lacks == (["unrestricted guest"] if model == LYNNFIELD else [])
    assert ("1 GiB pages, accessed and dirty flags" in text) == (model not in OLD_EPT)
    assert "INVEPT of one context, INVEPT of all" in " ".join(text.split())


@pytest.mark.parametrize("model", LINUX)
def test_linux_boots(iso, model):
    """Debian's Linux: userland on both CPUs, the right memory, nothing of ours to be found."""
    run = boot(iso, model, "linux", "gh.cpus=2", 2)
    assert run.wait() == "power-off"
    assert run.results()
    assert test_linux.check_memory(run.text, test_linux.firmware_map(512)) <= 4 * test_linux.MIB


def test_linux_on_boot_cpu(iso):
    """Without unrestricted guest the other CPU cannot start, which is said; Linux runs on one."""
    run = boot(iso, LYNNFIELD, "linux", "gh.cpus=1", 2)
    assert run.wait() == "power-off"
    assert run.results()
    assert "Lacks     unrestricted guest: no real mode: only a 64-bit guest, on one CPU" in run.text
    assert "vCPU 1 stays stopped" in run.log("com2.log")


@pytest.mark.parametrize("model", bochs.CAPABLE)
def test_conforms(iso, model):
    """What the model lacks is in the report; every line of the conformance guest's is ok."""
    cpus, words = cpus_of(model)
    run = guest(iso, model, "conformance", words, cpus)
    assert "# conformance under Glasshouse" in run.text
    check_report(run.text, model)


@pytest.mark.parametrize("model", CAPABLE)
def test_as_native(iso, model):
    """What Glasshouse does by hand is as the CPU does it: the same tests pass in both."""
    native = guest(iso, model, "arch natively").results()
    assert guest(iso, model, "arch").results() == native


def test_modes_without_unrestricted_guest(iso):
    """A guest that leaves long mode's paging gets #GP, and why is said."""
    run = boot(iso, LYNNFIELD, "arch", memory=256, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert "Bail out! exception 13" in run.text
    assert "which this CPU cannot do in VMX operation (no unrestricted guest): #GP" in run.log("com2.log")


@pytest.mark.parametrize("model", CAPABLE)
def test_sector(iso, model):
    """A drive's boot sector is started as by the firmware, and its BIOS keeps our memory from it."""
    run = guest(iso, model, "second drive")
    test_disk.check_sector(run.text, 0x7c00, 0, 0x81, 256)


def test_no_sector_without_unrestricted_guest(iso):
    """A CPU that cannot run real mode as a guest says so."""
    run = boot(iso, LYNNFIELD, "second drive")
    run.expect(r"starts in real mode, which this CPU cannot do")
    run.stop()


@pytest.mark.parametrize("number, model", enumerate(bochs.CAPABLE))
def test_monkey_survives(iso, number, model):
    """A short run of the random guest on each, with a seed of its own."""
    cpus, words = cpus_of(model)
    run = guest(iso, model, "monkey", f"{words} seed={number + 1} n=1000", cpus)
    test_monkey.check_log(run.log("com2.log"))
