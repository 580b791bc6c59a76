# SPDX-License-Identifier: MIT
"""What each Bochs lacks or gets wrong: tests of it are skipped, or expected to fail.

A test that a fault of this Bochs makes fail must fail with the message of that fault. Any other failure is
reported as a failure, and so is a test that passes: then the table below must be corrected.
"""
import re
from dataclasses import dataclass

import bochs

# What a test may need, and since when Bochs has it: @pytest.mark.needs("INIT exits").
SINCE = {
    "INIT exits": (2, 8),
    # Before, a write that they allow made the page writable: until the TLB was flushed, others did not exit.
    "sub-page write permissions": (3, 0),
}


@dataclass(frozen=True)
class Fault:
    """A fault of Bochs from the version `since` on; `until` is the first without it."""

    since: tuple
    until: tuple | None
    tests: str  # which tests fail by it: a pattern for their names
    says: str   # and how: a pattern for the whole of the message
    why: str


def _flag(event):
    """A result of guests/arch/delivery.c that differs from the native one in RFLAGS.RF, and how."""
    words = f"{event}, on a stack that is not mapped yet: RF"
    return f"'{words} 1', natively '{words} 0'"


FAULTS = (
    Fault((3, 0), None, r"test_as_native(\[.*\])?",
          re.escape("; ".join(map(_flag, ("#DB", "INT n", "INT3", "an interrupt")))),
          "RFLAGS.RF is saved as 1 at an EPT violation that comes during an event's delivery"),
    # The handler's frame has the address of the instruction that was to be executed, so that was not. SDM: "Monitor Trap
    # Flag": the VM exit is pending on the boundary after the delivery.
    Fault((3, 0), None, "test_step", "a step has ended behind the first instruction of a handler.*",
          "the monitor trap flag's VM exit comes one instruction after the delivery of an interrupt that is pending at VM entry"),
)


def name():
    """This Bochs, for messages."""
    return "Bochs " + ".".join(map(str, bochs.version()))


def lacks(item):
    """Why the test cannot be run in this Bochs, or None."""
    model = getattr(item, "callspec", None) and item.callspec.params.get("model")
    if model and model not in bochs.models():
        return f"{name()} has no CPU model {model}"
    for mark in item.iter_markers("needs"):
        if bochs.version() < SINCE[mark.args[0]]:
            return f"{name()} has no {mark.args[0]}; they come with {'.'.join(map(str, SINCE[mark.args[0]]))}"
    return None


def fault(item):
    """The fault of this Bochs by which the test is to fail, or None."""
    for row in FAULTS:
        if row.since <= bochs.version() and (not row.until or bochs.version() < row.until) and \
                re.fullmatch(row.tests, item.name):
            return row
    return None
