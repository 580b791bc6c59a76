# SPDX-License-Identifier: MIT
"""On a CPU that cannot, Glasshouse says so in words and stops."""
import pytest

import harness
import words


def refused(run, why):
    """The machine says why, and that it has stopped, and has not entered a guest."""
    run.expect(why)
    run.expect(words.STOPPED)
    run.stop()
    assert "Entering the guest" not in run.text


@pytest.mark.parametrize("model, why", [
    ("p4_prescott_celeron_336", words.NO_VMX),
    ("core2_penryn_t9600", words.NO_EPT),
    ("pentium", words.NOT_64_BIT),
])
def test_model(model, why):
    """Refused, with what is missing, and nothing is started."""
    run = harness.boot(f"refusal-{model}", harness.linux("basic"), model)
    refused(run, why)


def test_qemu():
    """QEMU emulates no VT-x: the same ISO says so there."""
    run = harness.boot_qemu("refusal-qemu", harness.linux("basic"))
    refused(run, words.NO_VMX)
