# SPDX-License-Identifier: MIT
"""On a CPU that cannot, Glasshouse says so in words and stops."""
import pytest

import harness
import words


@pytest.mark.parametrize("model, why", [
    ("p4_prescott_celeron_336", words.NO_VMX),
    ("core2_penryn_t9600", words.NO_EPT),
    ("pentium", words.NOT_64_BIT),
])
def test_model(model, why):
    """Refused, with what is missing, and nothing is started."""
    run = harness.boot(f"refusal-{model}", harness.linux("basic"), model, ticks=1_500_000_000)
    run.expect(why)
    assert run.wait() == "ticks"
    assert "Linux" not in run.text.partition("gh.test")[2]


def test_qemu():
    """QEMU emulates no VT-x: the same ISO says so there."""
    run = harness.boot_qemu("refusal-qemu", harness.linux("basic"))
    run.expect(words.NO_VMX)
    run.stop()
