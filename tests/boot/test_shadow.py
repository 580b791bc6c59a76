# SPDX-License-Identifier: MIT
"""Shadow page tables: guests under Glasshouse with ept=off."""
import re

import harness
from test_linux import MIB, check_memory, firmware_map

# What KVM takes with ept=0 for the same kernel in the same emulator, from the firmware to the end of test basic, with 256 MiB.
KVM_PAGE_FAULTS = 62_321
KVM_EXITS = 211_012


def exits(run):
    """The exits of vCPU 0 at the guest's end, by reason."""
    counts = re.search(r"^exits: vcpu 0 total (\d+)((?: [A-Z_]+ \d+)+)$", run.log("glasshouse.log"), re.M)
    named = {name: int(count) for name, count in re.findall(r"([A-Z_]+) (\d+)", counts[2])}
    assert sum(named.values()) == int(counts[1])
    return named


def test_linux():
    """Debian's Linux passes the same test as with EPT, with fewer exits than under KVM without EPT."""
    run = harness.boot("shadow-linux", harness.linux("basic", "ept=off", "gh.cpus=1"), memory=256)
    assert run.wait() == "power-off"
    assert run.results()
    log = run.log("glasshouse.log")
    assert re.search(r"^  Memory    shadow page tables, without EPT", log, re.M)
    pool = int(re.search(r"^Shadow page tables: room for \d+, in (\d+) KiB", log, re.M)[1])
    assert check_memory(run.text, firmware_map(256)) <= 2 * MIB + (pool << 10)
    count = exits(run)
    assert "EPT_VIOLATION" not in count
    assert 1000 < count["EXCEPTION_NMI"] < KVM_PAGE_FAULTS and sum(count.values()) < KVM_EXITS, count
