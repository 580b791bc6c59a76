# SPDX-License-Identifier: MIT
"""Boots one ISO on all CPU models of Bochs with VT-x and 64-bit mode: Linux and the test guests.

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
    "linux without EPT": harness.linux("basic", "ept=off", "$words"),
    "conformance": mkiso.glasshouse("", CONFORMANCE, "$words", None),
    "arch": mkiso.glasshouse("", ARCH, "x", None),
    "arch natively": mkiso.native(ARCH, "x", None),
    "second drive": mkiso.Boot(mkiso.Entry(mkiso.ELF, "boot=hd1")),
    "monkey": mkiso.glasshouse("", MONKEY, "$words", None),
}

# Without EPT, or without unrestricted guest: Glasshouse uses shadow page tables by itself.
PENRYN, LYNNFIELD = SHADOW = ("core2_penryn_t9600", "corei5_lynnfield_750")
LACKS = {
    PENRYN: ["activate VMX-preemption timer", "enable EPT", "enable VPID", "save IA32_PAT",
             "save VMX-preemption timer value"],
    LYNNFIELD: ["unrestricted guest"],
}
CAPABLE = [model for model in bochs.CAPABLE if model not in SHADOW]
OLD_EPT = ("corei5_arrandale_m520", "corei7_sandy_bridge_2600k", "corei7_ivy_bridge_3770k")
# Models between two others: what Linux uses there, it uses on one of those.
BETWEEN = ("corei7_ivy_bridge_3770k", "broadwell_ult", "corei3_cnl")
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
    name = f"models-{entry.replace(' ', '-')}-{model}-{cpus}{'-nopti' if 'nopti' in words else ''}"
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
    return 2, f"cpus=2 {'apic=x2' if model in X2APIC else ''}".rstrip()


def with_soak(tested, others):
    """The models, of which the others are for `make soak`."""
    return [*tested, *(pytest.param(model, marks=pytest.mark.soak) for model in others)]


def check_report(text, model):
    """The report at the start lists exactly the features that the model lacks."""
    lacks = re.findall(r"^  Lacks     (.*?):", text, re.M)
    assert lacks == LACKS.get(model, [])
    if model in SHADOW:
        what = "unrestricted guest" if model == LYNNFIELD else "EPT"
        assert f"  Memory    shadow page tables: the CPU lacks {what}\n" in text
        return
    assert ("1 GiB pages, accessed and dirty flags" in text) == (model not in OLD_EPT)
    assert "INVEPT of one context, INVEPT of all" in " ".join(text.split())


@pytest.mark.parametrize("model", with_soak([model for model in CAPABLE if model not in BETWEEN], BETWEEN))
def test_linux_boots(iso, model):
    """Debian's Linux runs on both CPUs, has the right memory, finds no trace of Glasshouse."""
    run = boot(iso, model, "linux", "gh.cpus=2", 2)
    assert run.wait() == "power-off"
    assert run.results()
    assert test_linux.check_memory(run.text, test_linux.firmware_map(512)) <= 4 * test_linux.MIB


@pytest.mark.parametrize("model, cpus, words", [
    (PENRYN, 2, "nopti"),
    *(pytest.param(model, cpus, "", marks=pytest.mark.soak)
      for model in (PENRYN, LYNNFIELD, "corei7_haswell_4770", "corei7_skylake_x") for cpus in (1, 2)),
])
def test_linux_boots_without_ept(iso, model, cpus, words):
    """The same by shadow page tables; the other CPU starts in real mode, which no CPU runs as a guest then.

    Page-table isolation takes long with 2 CPUs where the CPU has no PCID: there each entry to the kernel compares all of
    the guest's page tables with the shadow's.
    """
    entry = "linux" if model in SHADOW else "linux without EPT"
    run = boot(iso, model, entry, f"gh.cpus={cpus} {words}", cpus, ticks=2 * harness.TICKS)
    assert run.wait() == "power-off"
    assert run.results()
    assert "  Memory    shadow page tables" in run.text


@pytest.mark.parametrize("model", bochs.CAPABLE)
def test_conforms(iso, model):
    """The conformance guest passes on the model, and the report lists what the model lacks."""
    cpus, words = cpus_of(model)
    run = guest(iso, model, "conformance", words, cpus)
    assert "# conformance under Glasshouse" in run.text
    check_report(run.text, model)


@pytest.mark.parametrize("model", with_soak([PENRYN, *CAPABLE], [LYNNFIELD]))
def test_as_native(iso, model):
    """What Glasshouse emulates behaves like the CPU: the same tests pass natively and under it."""
    native = guest(iso, model, "arch natively").results()
    harness.same(native, guest(iso, model, "arch").results())


@pytest.mark.parametrize("model", with_soak([PENRYN, *CAPABLE], [LYNNFIELD]))
def test_sector(iso, model):
    """A boot sector starts as by the firmware, and the BIOS does not report Glasshouse's memory to it."""
    run = guest(iso, model, "second drive")
    test_disk.check_sector(run.text, 0x7c00, 0, 0x81, 256)


@pytest.mark.parametrize("number, model", enumerate(bochs.CAPABLE))
def test_monkey_survives(iso, number, model):
    """A short run of the random guest on each model, each with another seed."""
    cpus, words = cpus_of(model)
    run = guest(iso, model, "monkey", f"{words} seed={number + 1} n=1000", cpus)
    test_monkey.check_log(run.log("com2.log"))
