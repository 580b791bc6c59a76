# SPDX-License-Identifier: MIT
"""The conformance guest with options and several CPUs, and its resets. test_models.py runs it on all models."""
import re

import pytest

import harness
import mkiso
import words

IMAGE = mkiso.BUILD / "guest" / "conformance.img"
SKYLAKE = "corei7_skylake_x"
INIT_EXITS = pytest.mark.needs("INIT exits")


def conformance(name, cmdline, opts="", model=SKYLAKE, cpus=1, lax=False):
    """Boots the guest under Glasshouse; missing MSRs raise #GP, as on a real CPU, or read 0 if `lax`."""
    spec = mkiso.glasshouse(opts, IMAGE, f"cpus={cpus} {cmdline}", None)
    return harness.boot(f"conformance-{name}", spec, model, cpus, 256, ignore_bad_msrs=lax)


@pytest.mark.parametrize("name, model, cpus, cmdline, opts", [
    ("skylake-4", SKYLAKE, 4, "", ""),
    ("skylake-x2", SKYLAKE, 2, "apic=x2", ""),
    ("skylake-again", SKYLAKE, 2, "again=1 kick=1", "icr=trap"),
    ("skylake-apic-off", SKYLAKE, 2, "apicoff=1", "icr=trap"),
    ("skylake-again-x2", SKYLAKE, 2, "again=1 apic=x2", "icr=trap"),
    # INIT is not trapped here. An INIT exit ends in the wait for a SIPI within this number of ticks; in this state
    # a CPU is at the end.
    pytest.param("skylake-lifted", SKYLAKE, 2, "again=1 quick=160 end=waits", "", marks=INIT_EXITS),
    pytest.param("skylake-lifted-x2", SKYLAKE, 2, "again=1 quick=160 apic=x2 end=waits", "", marks=INIT_EXITS),
    pytest.param("tiger-lake-lifted", "tigerlake", 4, "again=1 quick=160 end=waits", "", marks=INIT_EXITS),
    ("skylake-pf", SKYLAKE, 2, "", "icept=pf"),
    ("skylake-ports", SKYLAKE, 2, "ports=1", ""),
    ("tiger-lake-1", "tigerlake", 1, "", ""),
])
def test_conforms(name, model, cpus, cmdline, opts):
    """All tests of the guest pass."""
    run = conformance(name, cmdline, opts, model, cpus)
    assert run.wait() == "power-off"
    assert "# conformance under Glasshouse" in run.text
    assert run.results()
    # A CPU whose local APIC the guest has switched off cannot stop the others. Bochs does not switch it on again.
    assert (words.VIRT_OFF in run.log("com2.log")) == ("# The local APIC is not on again." not in run.text)
    assert ("The local APIC is" in run.text) == ("apicoff" in cmdline)
    if "ports" in cmdline:
        return
    lifted = f"All {cpus} CPUs run: IPIs no longer exit." in run.log("com2.log")
    assert lifted == (cpus > 1 and "icr=trap" not in opts)
    for what in "RDMSR", "WRMSR":
        assert re.search(rf"vCPU 0: {what} of MSR 12345678 at RIP \w+, which this CPU refuses", run.log("com2.log"))
    copied = "copies from linear address fec00000, which is not memory, to the local APIC: ignored" in run.log("com2.log")
    assert copied == (cpus > 1 and "apic=x2" not in cmdline)


def test_hidden_msrs():
    """On a CPU that has every MSR there may be, those of hidden features are #GP; XD stays on; microcode
    updates are carried out, where they can be."""
    run = conformance("lax", "lax=1", lax=True)
    assert run.wait() == "power-off"
    assert "cpu 0: MSRs of hidden features are #GP" in run.results()
    ours = run.log("com2.log")
    assert "vCPU 0: the guest switches the execute-disable bit off" in ours
    assert re.search(r"vCPU 0: microcode update by the guest: revision \w+ before, \w+ now\n", ours)
    assert "vCPU 0: microcode update by the guest refused: its header is invalid" in ours
    assert "vCPU 0: microcode update by the guest refused: its header is not in memory" in ours


def test_second_bank(tmp_path):
    """The second bank of the CMOS RAM, at port 72h, is the machine's."""
    cmos = bytearray(256)
    # RTC: 1024 Hz, BCD, valid. 640 KiB and 256 MiB of memory, LBA, boot from disk, 2 CPUs.
    for at, value in {0x0a: 0x26, 0x0b: 2, 0x0d: 0x80, 0x15: 0x80, 0x16: 2, 0x18: 0xfc, 0x31: 0xfc, 0x35: 0x0f, 0x39: 1,
                      0x3d: 2, 0x5f: 1}.items():
        cmos[at] = value
    image = tmp_path / "cmos"
    image.write_bytes(cmos)
    spec = mkiso.glasshouse("", IMAGE, "cpus=2 ports=1 bank=1", None)
    run = harness.boot("conformance-bank", spec, SKYLAKE, 2, 256, ignore_bad_msrs=False, cmos=image)
    assert run.wait() == "power-off"
    assert "and have a second bank behind them" in run.results()


@pytest.mark.parametrize("name, cmdline", [("native", "again=1 quick=0"), ("native-ports", "ports=1")])
def test_natively(name, cmdline):
    """All tests of the guest pass natively too."""
    native = mkiso.native(IMAGE, f"cpus=2 {cmdline}", None)
    run = harness.boot(f"conformance-{name}", native, SKYLAKE, 2, 256,
                       ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
    assert "# conformance under Glasshouse" not in run.text


@pytest.mark.parametrize("how, said", [
    ("triple", "triple fault at RIP"),
    ("port92", "reset by port 92h"),
    # Both CPUs reset at once, by a 16-bit write to the port below.
    ("keyboard", r"(?s)vCPU (\d): reset by the keyboard controller.*vCPU (?!\1)\d: reset by the keyboard"),
])
def test_resets(how, said):
    """Each kind of reset works, and virtualisation is off on all CPUs before it."""
    run = conformance(how, f"end={how}", cpus=2)
    assert run.wait() == "reset"
    assert run.results()
    ours = run.log("glasshouse.log")
    assert re.search(said, ours) and words.VIRT_OFF in ours
    assert len(re.findall(words.EXITS, ours)) == 2, "not one line for each CPU"


def test_sinks():
    """Writes to hidden memory that need a page each do not exhaust Glasshouse's memory."""
    run = conformance("sinks", "pushes=1", "reserve=32M")
    assert run.wait() == "power-off"
    assert "10000 PUSHes to our memory go nowhere" in run.results()


def test_power_off_by_a_byte():
    """Glasshouse detects an 8-bit write to the upper half of PM1 control, although Bochs ignores it."""
    run = conformance("pm1", "end=pm1", "console=com1")
    run.expect("vCPU 0: power off.")
    run.expect(words.VIRT_OFF)
    run.stop()
