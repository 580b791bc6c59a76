# SPDX-License-Identifier: MIT
"""Debian's own Linux under Glasshouse, from GRUB to userland and to its end."""
import re

import pytest

import harness

SKYLAKE = "corei7_skylake_x"
MIB = 1 << 20


def firmware_map(memory):
    """The memory map of Bochs' BIOS for a machine of `memory` MiB: (start, end, kind)."""
    top = memory * MIB
    return [
        (0, 0x9f000, "usable"),
        (0x9f000, 0xa0000, "reserved"),
        (0xe8000, 0x100000, "reserved"),
        (0x100000, top - 0x10000, "usable"),
        (top - 0x10000, top, "ACPI data"),
        (0xfffc0000, 1 << 32, "reserved"),
    ]


def guest_map(text):
    """The memory map that the guest printed."""
    lines = re.findall(r"^# e820 (0x[0-9a-f]+) (0x[0-9a-f]+) (.*)$", text, re.M)
    return [(int(start, 16), int(end, 16) + 1, kind) for start, end, kind in lines]


def without_hole(ranges, start, end):
    """The map with the reserved range start..end given back to the RAM around it."""
    assert (start, end, "reserved") in ranges, f"{start:#x}-{end:#x} is not reserved"
    out = []
    for first, last, kind in sorted(ranges):
        if (first, last) == (start, end):
            kind = "usable"
        if out and out[-1][2] == kind == "usable" and out[-1][1] == first:
            first = out.pop()[0]
        out.append((first, last, kind))
    return out


def check_memory(text, memory):
    """The guest's map is the firmware's, less one range. Returns the size of that range."""
    hole = re.search(r"^# hole ([0-9a-f]+) ([0-9a-f]+)$", text, re.M)
    assert hole, "the guest found no memory of ours"
    start, end = int(hole[1], 16), int(hole[2], 16) + 1
    assert without_hole(guest_map(text), start, end) == firmware_map(memory)
    return end - start


@pytest.mark.parametrize("model, cpus, opts", [
    (SKYLAKE, 4, ""),
    (SKYLAKE, 2, "icept=pf"),
    ("corei7_haswell_4770", 2, ""),
    ("broadwell_ult", 2, ""),
    (SKYLAKE, 2, ""),
    (SKYLAKE, 1, ""),
])
def test_boots(model, cpus, opts):
    """Userland on every CPU; the right memory; nothing of ours to be found."""
    name = f"linux-{model}-{cpus}-{opts or 'plain'}"
    run = harness.boot(name, harness.linux("basic", opts, f"gh.cpus={cpus}"), model, cpus)
    assert run.wait() == "power-off"
    assert run.results()
    assert check_memory(run.text, 512) <= 4 * MIB


def test_hotplug():
    """A CPU goes offline and comes back, three times."""
    run = harness.boot("hotplug", harness.linux("hotplug", "icr=trap", "gh.cpus=2"), cpus=2)
    assert run.wait() == "power-off"
    assert run.results()


def test_reboot():
    """The guest's reset resets the machine, which boots again as before."""
    run = harness.boot("reboot", harness.linux("reboot", append="gh.cpus=2"), cpus=2, resets=1)
    assert run.wait() == "power-off"
    assert run.results()
