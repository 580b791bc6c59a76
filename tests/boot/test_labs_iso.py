# SPDX-License-Identifier: MIT
"""The labs' ISO: each entry of its menu, by a BIOS and by UEFI; the monitor; the ISO of `make handout`."""
import contextlib
import fcntl
import re
import subprocess
import sys

import pytest

import bochs
import grade
import harness
import mkiso
import words
from labs import ROOT, Seed
from test_labs import LABS, LINUX, SEED, program

QUICK = 2, "bios"  # the entry that `make test` boots
FIRMWARE = {"bios": bochs.BIOS, "uefi": bochs.OVMF}
TWO_CPUS = 7  # the lab that needs them
CTRL_T = "\x14"


def boot(name, iso, lab, choice, firmware):
    """Boots the entry `choice` of a menu, on the lab's machine, with more memory for UEFI. Returns a Run."""
    second = harness.FOLDER / f"{name}-choice.img"
    second.write_bytes(mkiso.choice(choice, ""))
    return harness.boot(name, iso, second=second, cpus=grade.cpus(lab), memory=max(256, grade.memory(lab)),
                        ticks=20_000_000_000, bios=FIRMWARE[firmware])


@contextlib.contextmanager
def made_once(path):
    """True if `path` is still to be made: the first of pytest's workers makes it for all, and the others wait."""
    harness.FOLDER.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not path.exists()


@pytest.fixture(name="solved")
def solved_iso():
    """The ISO of `make labs-iso SOLUTION=1`."""
    iso = harness.FOLDER / "labs-solved.iso"
    with made_once(iso) as to_be_made:
        if to_be_made:
            told = program("iso", SOLUTION="1", SEED=str(SEED))
            for lab in LABS.values():
                assert all(f"Lab {lab.number} {name}".strip() in told for name in [*lab.boots, "monitor"]), told
            (mkiso.BUILD / "labs.iso").rename(iso)
    return iso


@pytest.fixture(name="handed_out")
def handout_iso():
    """The ISO of `make handout`."""
    iso = harness.FOLDER / "handout-iso.iso"
    with made_once(iso) as to_be_made:
        if to_be_made:
            subprocess.run([sys.executable, ROOT / "tools/labs/handout.py", iso.with_suffix("").relative_to(ROOT), "iso"], cwd=ROOT,
                           check=True, stdout=subprocess.DEVNULL)
    return iso


def outputs(iso, lab, firmware):
    """The Output of a lab's first boot, from the menu, which has the others."""
    first = None
    for name in lab.boots:
        choice = f"Lab {lab.number} {name}".strip()
        run = boot(f"{iso.stem}-{firmware}-{choice.replace(' ', '-')}", iso, lab, choice, firmware)
        if lab.number in LINUX and firmware == "uefi":
            run.expect("reboot: System halted")
            run.stop()
        elif lab.number == TWO_CPUS and firmware == "uefi":
            while not re.search(words.STOPPED, run.log("glasshouse.log")):
                assert run.more(), "the machine has ended"
            run.stop()
        else:
            assert run.wait() == "power-off"
        this = grade.Output(run.log("glasshouse.log"), run.text, grade.output_folder(lab, True) / "glasshouse.elf",
                            Seed(SEED, lab.number))
        first = first or this
        if name:
            first.others[name] = this
    return first


@pytest.mark.parametrize("number, firmware", [pytest.param(number, name, marks=[pytest.mark.soak] * ((number, name) != QUICK))
                                              for number in LABS for name in FIRMWARE])
def test_entry(number, firmware, solved):
    """Each lab passes from the menu. By UEFI Bochs has no ACPI tables: it has one CPU then, and Glasshouse does not see the
    power-off, so what is only told then is missing."""
    lab = LABS[number]
    verdicts = grade.judge(lab, outputs(solved, lab, firmware), None)
    if firmware == "bios":
        assert not any(verdicts), verdicts
    elif number == TWO_CPUS:
        assert "needs two CPUs" in verdicts[8] and not any(verdicts[:8]), verdicts
    else:
        missing = [lab.tests[n] for n, why in enumerate(verdicts) if why]
        assert not any(why and not why.startswith("the machine did not come to") for why in verdicts), verdicts
        assert all(test.by != "guest" for test in missing) and len(missing) < len(verdicts) / 2, verdicts


@pytest.mark.soak
@pytest.mark.parametrize("number", LABS)
def test_monitor(number, solved):
    """The entry with the monitor: the check has passed, the monitor answers before the guest's first instruction, then it runs."""
    lab = LABS[number]
    run = boot(f"labs-monitor-{number}", solved, lab, f"Lab {number} monitor", "bios")
    run.expect("The monitor shares COM1 with the guest")
    run.expect(grade.ENTERED)
    run.send(CTRL_T)
    run.expect(r"\(glasshouse\) ")
    run.send("vmcs guest_rip\r")
    run.expect(r"GUEST_RIP=\w+")
    run.expect(r"ok\n\(glasshouse\) ")
    run.send("resume\r")
    run.expect(r"ok\n\(glasshouse\) ")
    run.send(CTRL_T)
    run.expect(r"\[the guest\]")
    if number in LINUX:
        run.expect("/ # ")
        run.send("poweroff\r")
    else:
        run.expect(r"(?m)^1\.\.\d+$")
        run.send("q")
    assert run.wait() == "power-off"
    told = grade.by_log(grade.Output(run.log("glasshouse.log"), ""))
    assert told and not any(told.values()), told


@pytest.mark.soak
@pytest.mark.parametrize("number, firmware", [*((number, "bios") for number in LABS), (1, "uefi"), (9, "uefi")])
def test_handed_out(number, firmware, handed_out):
    """In the handout's ISO each lab's first test fails."""
    run = boot(f"handout-{firmware}-{number}", handed_out, LABS[number], f"Lab {number}", firmware)
    while not (verdict := re.search(r"(?m)^(?:not )?ok 1\b", run.log("glasshouse.log"))):
        assert run.more(), "the machine has ended"
    run.stop()
    assert verdict[0] == "not ok 1"


@pytest.mark.soak
@pytest.mark.parametrize("firmware", [(), harness.UEFI], ids=FIRMWARE)
def test_qemu(firmware, solved):
    """In QEMU the menu waits for a key; QEMU's CPU has no VT-x, and Glasshouse says so."""
    run = harness.boot_qemu(f"labs-qemu-{'uefi' if firmware else 'bios'}", solved, firmware=firmware)
    while not re.search(words.NO_VMX, run.text):
        run.monitor.sendall(b"sendkey ret\n")
        run.more()
    run.stop()
