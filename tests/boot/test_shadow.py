# SPDX-License-Identifier: MIT
"""Shadow page tables: guests under Glasshouse with ept=off."""
import re

import harness
import mkiso
from test_linux import MIB, check_memory, firmware_map

# What KVM takes with ept=0 for the same kernel in the same emulator, from the firmware to the end of test basic, with 256 MiB.
KVM_PAGE_FAULTS = 62_321
KVM_FIXED = 38_168
KVM_INVLPGS = 3_125
KVM_EXITS = 211_012

KERNEL = 0x1000000  # the guest-physical address of its text, without KASLR


def exits(run):
    """The exits of vCPU 0 at the guest's end, by reason."""
    counts = re.search(r"^exits: vcpu 0 total (\d+)((?: [A-Z_]+ \d+)+)$", run.log("glasshouse.log"), re.M)
    named = {name: int(count) for name, count in re.findall(r"([A-Z_]+) (\d+)", counts[2])}
    assert sum(named.values()) == int(counts[1])
    return named


# What the monitor tells while the kernel boots: the kernel's text, by a large page; an address that
# nothing uses; the outcomes.
SCRIPT = """\
wait 9s
spt ffffffff81000000
expect level 2
spt 123456789000
expect not present
spt 0 7
stat
expect page faults that exit
watch 1000 w
"""


def test_linux():
    """Debian's Linux passes the same test as with EPT, with fewer exits than under KVM without EPT; the monitor tells of it."""
    spec = harness.linux("basic", "ept=off console=e9", "gh.cpus=1 nokaslr")
    harness.FOLDER.mkdir(parents=True, exist_ok=True)
    (harness.FOLDER / "shadow.gh").write_text(SCRIPT)
    spec.modules.append(mkiso.Entry(harness.FOLDER / "shadow.gh", "script shadow.gh"))
    run = harness.boot("shadow-linux", spec, memory=256)
    assert run.wait() == "power-off"
    assert run.results()
    log = run.log("glasshouse.log")
    assert re.findall(r"^(not ok|ok) \d+ - shadow", log, re.M) == ["ok"] * 3
    made, of = re.search(r"^ +level 2 at [0-9a-f]+: ([0-9a-f]{16}) of ([0-9a-f]{16}) large page", log, re.M).groups()
    assert int(made, 16) >> 21 == int(of, 16) >> 21 == KERNEL >> 21
    fixed, reflected = re.search(r"vCPU 0, page faults that exit: (\d+) fixed, (\d+) reflected, \d+ emulated, \d+ spurious", log).groups()
    assert int(fixed) > 50 and int(reflected) >= 0
    assert 'the command "spt 0 7" could not be done: there is no such vCPU' in log
    assert 'the command "watch 1000 w" could not be done: this needs EPT, which is not in use' in log
    assert re.search(r"^  Memory    shadow page tables", log, re.M)
    pool = int(re.search(r"^Shadow page tables: room for \d+, in (\d+) KiB", log, re.M)[1])
    assert check_memory(run.text, firmware_map(256)) <= 2 * MIB + (pool << 10)
    count = exits(run)
    assert "EPT_VIOLATION" not in count
    assert 1000 < count["EXCEPTION_NMI"] < KVM_PAGE_FAULTS and sum(count.values()) < KVM_EXITS, count
    assert 1000 < count["INVLPG"] < KVM_INVLPGS, count
    assert 1000 < int(re.search(r"^page faults: vcpu 0 fixed (\d+) ", log, re.M)[1]) < KVM_FIXED
