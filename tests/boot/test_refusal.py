# SPDX-License-Identifier: MIT
"""Glasshouse refuses CPUs that lack what it needs: it prints the reason and stops."""
import re

import pytest

import bochs
import harness
import words


def refused(run, why, *logs):
    """Asserts that all consoles show the reason and that Glasshouse stopped, and that no guest was entered."""
    screen = run.screen()
    for text in (run.text, screen, *map(run.log, logs)):
        assert re.search(why, text) and re.search(words.STOPPED, text), text
    assert "Entering the guest" not in run.text


@pytest.mark.parametrize("model, why, logs", [
    ("p4_prescott_celeron_336", words.NO_VMX, ["com2.log", "glasshouse.log"]),
    ("pentium", words.NOT_64_BIT, ["glasshouse.log"]),
])
def test_model(model, why, logs):
    """The message names the missing feature."""
    run = harness.boot(f"refusal-{model}", harness.linux("basic"), model, commands=bochs.SCREEN)
    refused(run, why, *logs)


def test_qemu():
    """The same ISO is refused in QEMU, which does not emulate VT-x."""
    run = harness.boot_qemu("refusal-qemu", harness.linux("basic"))
    refused(run, words.NO_VMX, "com2.log", "glasshouse.log")


@pytest.mark.parametrize("cpu", ["qemu64,-nx", "Haswell,-nx,level=3"])
def test_no_execute_disable(cpu):
    """Without XD our page tables would be #PF; on an Intel CPU it is looked for in IA32_MISC_ENABLE, too."""
    run = harness.boot_qemu(f"refusal-{cpu.partition(',')[0]}-nx", harness.linux("basic"), cpu)
    refused(run, words.NO_XD, "glasshouse.log")
