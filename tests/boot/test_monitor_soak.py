# SPDX-License-Identifier: MIT
"""The monitor for longer: all that looks, acts and watches, while the random guest has many exits."""
import re

import pytest

import monitor
import test_monitor
import test_monitor_act
import test_monitor_cycle
import test_monitor_watch

EXITS = 200_000
SCRIPT = (*test_monitor.LOOKS, *test_monitor_act.RANDOM, *test_monitor_watch.RANDOM, *test_monitor_cycle.COMMANDS)

# What a command cannot do while the guest does what it wants.
LEGAL = (r"ok|err: (this address|this vCPU waits for a SIPI|this vCPU does not run yet|no instruction within a second).*")


# A guest that writes to 1c0h ends the test, as the watch point there is to show a reset: with seed 3 this one does.
@pytest.mark.soak
@pytest.mark.parametrize("seed", [17, 29])
def test_random_guest(seed):
    """200,000 exits of the random guest, none lost, while a script of commands runs again and again."""
    log, answers = monitor.ask_random_guest(f"soak-{seed}", f"cpus=2 seed={seed} n=5000 init=1", SCRIPT, 1, EXITS)
    wrong = {(command, told[-1]) for command, told in answers if not re.fullmatch(LEGAL, told[-1])}
    assert not wrong
    totals = [int(total) for total in re.findall(r"^exits: vcpu \d+ total (\d+)", log, re.M)]
    counts = [int(n) for line in re.findall(r"^exits: vcpu .*", log, re.M) for n in re.findall(r" [A-Z_]+ (\d+)", line)]
    assert sum(totals) == sum(counts) >= EXITS
    print(len(answers), "answers", totals)
