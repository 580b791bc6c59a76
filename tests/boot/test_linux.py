# SPDX-License-Identifier: MIT
"""Debian's Linux under Glasshouse, from GRUB to userland and to power-off."""
import re
import subprocess

import pytest

import harness
import mkiso
import words

MIB = 1 << 20


# The end of conventional memory under Glasshouse: Bochs' BIOS reports 0x9f000; the log takes five pages.
LOW = 0x9a000


def firmware_map(memory, low=LOW):
    """The memory map of Bochs' BIOS on a machine with `memory` MiB: (start, end, kind).

    `low`: the end of conventional memory.
    """
    top = memory * MIB
    return [
        (0, low, "usable"),
        (low, 0xa0000, "reserved"),
        (0xe8000, 0x100000, "reserved"),
        (0x100000, top - 0x10000, "usable"),
        (top - 0x10000, top, "ACPI data"),
        (0xfffc0000, 1 << 32, "reserved"),
    ]


def guest_map(text):
    """The memory map that the guest printed."""
    lines = re.findall(r"^# e820 (0x[0-9a-f]+) (0x[0-9a-f]+) (.*)$", text, re.M)
    return [(int(start, 16), int(end, 16) + 1, kind) for start, end, kind in lines]


def without_holes(ranges, holes):
    """The map with the reserved ranges `holes` turned back into RAM."""
    out = []
    for first, last, kind in sorted(ranges):
        if (first, last) in holes:
            assert kind == "reserved", f"{first:#x}-{last:#x} is {kind}"
            kind = "usable"
        if out and out[-1][2] == kind == "usable" and out[-1][1] == first:
            first = out.pop()[0]
        out.append((first, last, kind))
    return out


def check_memory(text, expected):
    """Asserts that the guest's map is `expected` without Glasshouse's memory. Returns its size in bytes."""
    holes = [(int(first, 16), int(last, 16) + 1)
             for first, last in re.findall(r"^# hole ([0-9a-f]+) ([0-9a-f]+)$", text, re.M)]
    assert 1 <= len(holes) <= 3, "the guest found too few or too many ranges of Glasshouse's memory"
    assert without_holes(guest_map(text), holes) == expected
    return sum(last - first for first, last in holes)


@pytest.mark.parametrize("cpus, opts", [(4, ""), (2, "icept=pf"), (1, "")])
def test_boots(cpus, opts):
    """Linux runs on every CPU, has the right memory, finds no trace of Glasshouse. test_models.py tests all models."""
    run = harness.boot(f"linux-{cpus}-{opts or 'plain'}", harness.linux("basic", opts, f"gh.cpus={cpus}"),
                       cpus=cpus)
    assert run.wait() == "power-off"
    assert run.results()
    assert check_memory(run.text, firmware_map(512)) <= 2 * MIB


@pytest.mark.parametrize("opts", ["icr=trap", pytest.param("", marks=pytest.mark.needs("INIT exits"))],
                         ids=["trapped", "lifted"])
def test_hotplug(opts):
    """A CPU goes offline and online again, three times."""
    run = harness.boot(f"hotplug-{opts or 'lifted'}", harness.linux("hotplug", opts, "gh.cpus=2"), cpus=2)
    assert run.wait() == "power-off"
    assert run.results()


def test_reboot():
    """The guest's reset resets the machine; the second boot prints the log of the first."""
    run = harness.boot("reboot", harness.linux("reboot", append="gh.cpus=2"), cpus=2, resets=1)
    assert run.wait() == "power-off"
    assert run.results()
    ended = "--- The boot before this one ended with: ---"
    first, _, second = run.text.partition("first boot: under Glasshouse")
    assert ended not in first
    last, end, _ = second.partition(ended)[2].partition("--- End ---")
    assert end and re.search(words.EXITS, last) and words.VIRT_OFF in last


def test_log():
    """Linux reads Glasshouse's log in its memory, and follows it; there is no log of a boot before."""
    run = harness.boot("log", harness.linux("log", append="gh.cpus=1"))
    assert run.wait() == "power-off"
    assert run.results()


@pytest.mark.parametrize("program", ["glasshouse-log", "glasshouse-stat"])
def test_log_without_glasshouse(program):
    """Where there is no Glasshouse, the programs that read its memory say so."""
    run = subprocess.run([mkiso.BUILD / program], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and not run.stdout
    assert run.stderr.startswith(f"{program}: This system does not run under Glasshouse")


# The first boot panics; it leaves a bit in the CMOS RAM, by which the second boot knows that.
PANIC_ONCE = """\
if cmostest 0x6e:0; then
{again}fi
cmosset 0x6e:0
{first}"""


def test_log_of_a_panic():
    """After a panic and a reset Linux reads all of the log of the boot before."""
    files = {}
    first, again = (mkiso.grub_commands(harness.linux("log", opts, append), files) for opts, append in (
        ("provoke=panic panic=reset", "gh.cpus=1"), ("", "gh.cpus=1 gh.last=panics_on_CPU_0")))
    iso = mkiso.write_iso(harness.FOLDER / "log-panic.iso", PANIC_ONCE.format(first=first, again=again), files,
                          ["multiboot2", "cmostest"])
    run = harness.boot("log-panic", iso, resets=1)
    assert run.wait() == "power-off"
    assert "The boot before this one ended with" in run.text
    assert run.results()


def test_linux_on_fewer_cpus():
    """A CPU that cpus= leaves out is not in Linux' ACPI tables: it waits for none."""
    run = harness.boot("linux-fewer", harness.linux("basic", "cpus=1", "gh.cpus=1 loglevel=7"), cpus=2)
    assert run.wait() == "power-off"
    assert run.results()
    assert "left out by cpus=, and parked in root mode" in run.text
    assert "do_boot_cpu failed" not in run.text
    assert float(re.search(r"\[ *([\d.]+)\] reboot: Power down", run.text)[1]) < 10  # it gives each CPU 10 s to start
