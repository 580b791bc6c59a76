# SPDX-License-Identifier: MIT
"""Reports of failures: panics, refused VM entries, bad modules, wrong options."""
import re

import pytest

import bochs
import harness
import mkiso
from words import VIRT_OFF

GUEST = mkiso.BUILD / "guest" / "conformance.img"


def run_guest(name, opts, cpus=1, resets=0, kernel=GUEST, **extra):
    """Boots a test guest under Glasshouse with `opts`."""
    spec = mkiso.glasshouse(opts, kernel, f"cpus={cpus}", extra.pop("initrd", None))
    return harness.boot(f"failures-{name}", spec, cpus=cpus, memory=64, resets=resets, **extra)


def report(run, cpu=0):
    """Asserts that the serial line has a complete panic report of CPU `cpu`. Returns its text."""
    match = re.search(rf"(?s)\*\*\* Glasshouse \S+ panics on CPU {cpu} \*\*\*(.*?)\n\*\*\*", run.text)
    assert match, "no report on COM1"
    words = match[1]
    for part in ("-- VMCS: guest state --", "-- VMCS: host state --", "GUEST_RIP=",
                 "The last exits of vCPU 0 (", "MSR_READ rip"):
        assert part in words, f"{part!r} is missing in the report"
    for vcpu in range(words.count("The last exits of")):
        assert f"The last exits of vCPU {vcpu} " in words
    return words


@pytest.mark.parametrize("how, why, frames", [
    ("gp", "#GP general protection in root mode", ("do_gp", "failing_handle_exit", "vcpu_run")),
    ("ud", "#UD invalid opcode in root mode", ("do_ud", "failing_handle_exit", "vcpu_run")),
    ("db", "#DB debug in root mode", ("do_db", "failing_handle_exit", "vcpu_run")),
    ("divide", "#DE divide error in root mode", ("do_divide", "failing_handle_exit", "vcpu_run")),
    ("pagefault", "#PF page fault in root mode", ("do_pagefault", "failing_handle_exit", "vcpu_run")),
    ("bp", "#BP breakpoint in root mode", ("do_bp", "failing_handle_exit", "vcpu_run")),
    ("nmi", "provoked in an NMI at RIP", ()),
    ("straynmi", "provoked", ("do_panic", "vcpu_run")),
    ("doublefault", "#DF double fault in root mode", ("do_doublefault",)),
    ("stack", "RSP has reached its guard page", ("do_stack_deeper", "do_stack", "vcpu_run")),
    # On another CPU: its page tables forbid these accesses too.
    ("write@1", "#PF page fault in root mode", ("do_write", "failing_handle_exit", "vcpu_run")),
    ("stack@1", "RSP has reached its guard page", ("do_stack_deeper", "do_stack", "vcpu_run")),
])
def test_panic(how, why, frames):
    """The report on COM1 has the reason, symbols, the VMCS and the last exits of each CPU."""
    run = run_guest(how, f"provoke={how} panic=reset", cpus=2)
    assert run.wait() == "reset"
    words = report(run, cpu=1 if how.endswith("@1") else 0)
    assert why in words
    assert "The last exits of vCPU 1 (" in words
    # Glasshouse's own PAT, with a write-combining type; the guest's is the machine's.
    assert "HOST_IA32_PAT=7040600070106 " in words and "GUEST_IA32_PAT=7040600070406 " in words
    for frame in frames:
        assert re.search(rf"ffffffff80\w{{6}} {frame}[.+]", words), f"{frame} is not named"


def test_machine_check():
    """A machine check in root mode is delivered to the guest, which continues."""
    spec = mkiso.glasshouse("provoke=mc", GUEST, "mce=1", None)
    run = harness.boot("failures-mc", spec, memory=64, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
    assert "vCPU 0: machine check while Glasshouse ran, no bank holds an error: #MC to the guest" in run.log("com2.log")


@pytest.mark.parametrize("how, words", [
    ("fatalmc", r"machine check, and the CPU cannot continue: MCG_STATUS \w+, no bank holds an error\n[^*]*"
                r"\*\*\* Stopped"),
    ("mc", r"machine check, and the guest does not accept it \(CR4\.MCE is 0\): MCG_STATUS"),
    ("panic", r"The last exits of vCPU 1 [^*]*\*\*\* Stopped\. Please report this text"),
    ("badreport", r"\*\*\* The report itself failed\. \*\*\*\n\*\*\* Stopped\."),
])
def test_halts(how, words):
    """Without panic=reset Glasshouse stops after the report, also with several CPUs."""
    run = run_guest(f"halt-{how}", f"provoke={how}", cpus=2)
    run.expect(words)
    run.stop()


def test_changed_code():
    """A changed byte of Glasshouse's code is detected when the guest ends."""
    run = run_guest("text", "provoke=text")
    assert run.wait() == "power-off"
    assert "Glasshouse's code or constants have changed" in run.log("com2.log")


def test_last_words():
    """The boot after a panic prints the report again, from the log in RAM."""
    run = run_guest("last-words", "provoke=panic panic=reset", resets=1)
    assert run.wait() == "reset"
    first, heading, second = run.text.partition("--- The boot before this one ended with: ---")
    assert heading and "panics on CPU 0" in first
    again, end, after = second.partition("--- End ---")
    assert end and "  provoked\n" in again and "The last exits of vCPU 0" in again
    assert "panics on CPU 0" in after


# Changes a guest in 64-bit mode to PAE paging.
PAE = "VM_ENTRY_CONTROLS=d1ff,GUEST_IA32_EFER=0,"


def entry_name(fields):
    """A name for a run, from the field that is broken."""
    return "entry-" + fields.rpartition(",")[2].replace("=", "-")


def refused(run, said, fields, section, complaint):
    """The CPU has refused an entry once, and `said` names the rule."""
    field, _, value = fields.rpartition(",")[2].partition("=")
    broken = re.findall(r'  broken: .* \(SDM: "(.*)"\): (\w+) is ([0-9a-f]+)', said)
    assert (section, field, value) in broken, f"named: {broken}"
    whys = re.findall("(?:VMENTER(?: FAIL)?|VMFAIL): (?!VMRESUME|VMLAUNCH)(.*)", run.log("bochs.log"))
    assert len(whys) == 1 and complaint in whys[0], f"the CPU says: {whys}"


@pytest.mark.parametrize("fields, section, complaint", [
    ("PIN_BASED_VM_EXEC_CONTROL=0", "VM-Execution Control Fields", "VMX pin-based controls"),
    ("VM_EXIT_CONTROLS=0", "VM-Exit Control Fields", "VMX vmexit controls"),
    ("VM_ENTRY_CONTROLS=0", "VM-Entry Control Fields", "VMX vmentry controls"),
    ("HOST_CR3=ff00000000000000", "Checks on Host Control Registers, MSRs, and SSP", "invalid CR3"),
    ("HOST_CS_SELECTOR=0", "Checks on Host Segment and Descriptor-Table Registers", "CS selector 0"),
    ("VM_EXIT_CONTROLS=3f6dff", "Checks Related to Address-Space Size", "x86-64 host control"),
])
def test_entry(fields, section, complaint):
    """A VM entry refused because of Glasshouse's own fields: a panic, which names the rule, its field and value.

    `complaint` is why this CPU refuses it, as Bochs says.
    """
    run = run_guest(entry_name(fields), f"provoke=entry:{fields} panic=reset")
    assert run.wait() == "reset"
    refused(run, run.text, fields, section, complaint)
    report(run)


@pytest.mark.parametrize("fields, section, complaint", [
    ("GUEST_CR4=0", "Checks on Guest Control Registers, Debug Registers, and MSRs", "CR4"),
    ("GUEST_TR_AR_BYTES=10000", "Checks on Guest Segment Registers", "guest TR invalid"),
    ("GUEST_GDTR_BASE=1234000000000000", "Checks on Guest Descriptor-Table Registers", "BASE non canonical"),
    ("GUEST_RFLAGS=0", "Checks on Guest RIP, RFLAGS, and SSP", "RFLAGS"),
    ("GUEST_ACTIVITY_STATE=9", "Checks on Guest Non-Register State", "activity state 9"),
    (PAE + "GUEST_PDPTR0=3", "Checks on Guest Page-Directory-Pointer-Table Entries", "PDPTR"),
])
def test_guest_state(fields, section, complaint):
    """A VM entry that the CPU refuses for the guest's state: the guest's end, in the same words, but no panic."""
    run = run_guest(entry_name(fields), f"provoke=entry:{fields}")
    assert run.wait() == "reset"
    said = run.log("com2.log")
    refused(run, said, fields, section, complaint)
    assert "the CPU does not run the guest in this state" in said and VIRT_OFF in said
    assert "panics" not in said + run.text


def module(name, data):
    """Writes a file for a module. Returns its path."""
    path = harness.FOLDER / f"{name}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def header(at, value, size):
    """Returns a function that makes a test guest with `value` at offset `at` of the kernel's header."""
    return lambda: GUEST.read_bytes()[:at] + value.to_bytes(size, "little") + GUEST.read_bytes()[at + size:]


@pytest.mark.parametrize("name, kernel, initrd, words", [
    ("boot-flag", header(0x1fe, 0x55aa, 2), None, "module linux: boot_flag is 0x55aa: "),
    ("setup-sects", header(0x1f1, 255, 1), None, "module linux: setup_sects is 0xff: "),
    ("syssize", header(0x1f4, 0xffffffff, 4), None, "module linux: syssize is 0xffffffff: "),
    ("version", header(0x206, 0x100, 2), None, "module linux: version is 0x100: "),
    ("loadflags", header(0x211, 0, 1), None, "module linux: loadflags is 0"),
    ("alignment", header(0x230, 3, 4), None, "module linux: kernel_alignment is 0x3: "),
    ("pref-address", header(0x258, 1 << 63, 8), None, "module linux: pref_address is 0x8000000000000000: "),
    ("init-size", header(0x260, 0xfffff000, 4), None,
     r"module linux: no \d+ KiB of free memory for the kernel"),
    ("truncated", lambda: mkiso.KERNEL.read_bytes()[:20000], None, r"module linux: .* is 0x\w+: "),
    ("garbage", lambda: bytes(range(256)) * 64, None, r"module linux: .* is 0x\w+: "),
    ("short", lambda: b"x", None, r"module linux: .* is 0x1: "),
    ("empty", lambda: b"", None, "module linux: size is 0: too small"),
    ("empty-initrd", GUEST.read_bytes, b"", r"module initrd: size is 0"),
])
def test_bad_module(name, kernel, initrd, words):
    """Glasshouse refuses a module that does not match its role: the message has role, field and value."""
    if initrd is not None:
        initrd = module(f"{name}-initrd", initrd)
    run = run_guest(f"module-{name}", "", kernel=module(name, kernel()), initrd=initrd,
                    commands=bochs.SCREEN)
    screen = run.screen()
    last = " ".join(run.text.partition("\nGlasshouse has stopped")[0].splitlines()[-2:])
    assert re.search(words, last), last
    for text in (run.log("com2.log"), run.log("glasshouse.log"), screen):
        assert re.search(words, text) and "Glasshouse has stopped" in text


def test_wrong_options():
    """Each wrong option is reported, with the most similar name or the allowed values, and nothing is started."""
    run = run_guest("options", "strikt cpus=0 console=com1,com7 icept=fp monitor=com3 reserve=1M log=error")
    run.expect(r'option "strikt".*did you mean "strict"')
    run.expect(r'option "cpus".*"0" is not allowed; give a number from 1 to 1024')
    run.expect(r'option "console".*"com1,com7" is not allowed; give com1, com2, vga, e9 or fb')
    run.expect(r'option "icept".*"fp" is not allowed; give none or pf')
    run.expect(r'option "monitor".*"com3" is not allowed; give none, com1 or com2')
    run.expect(r"Wrong options \(above\)\. Correct them in the boot loader's configuration\.\nGlasshouse has stopped")
    run.stop()
    assert "reserve" not in run.text and "Entering the guest" not in run.text