# SPDX-License-Identifier: MIT
"""On a CPU that cannot, Glasshouse says so in words and stops."""
import re

import pytest

import bochs
import harness
import words


def refused(run, why, *logs):
    """The machine says why, and that it has stopped, on all its consoles, and has not entered a guest."""
    screen = run.screen()
    for text in (run.text, screen, *map(run.log, logs)):
        assert re.search(why, text) and re.search(words.STOPPED, text), text
    assert "Entering the guest" not in run.text


@pytest.mark.parametrize("model, why, logs", [
    ("p4_prescott_celeron_336", words.NO_VMX, ["com2.log", "glasshouse.log"]),
    ("core2_penryn_t9600", words.NO_EPT, ["com2.log", "glasshouse.log"]),
    ("pentium", words.NOT_64_BIT, ["glasshouse.log"]),
])
def test_model(model, why, logs):
    """Refused, with what is missing, and nothing is started."""
    run = harness.boot(f"refusal-{model}", harness.linux("basic"), model, commands=bochs.SCREEN)
    refused(run, why, *logs)


def test_qemu():
    """QEMU emulates no VT-x: the same ISO says so there."""
    run = harness.boot_qemu("refusal-qemu", harness.linux("basic"))
    refused(run, words.NO_VMX, "com2.log", "glasshouse.log")
