# SPDX-License-Identifier: MIT
"""The effect of each option of Glasshouse. docs/options.md lists them."""
import re

import pytest

import bochs
import harness
import mkiso
from words import VIRT_OFF

GUESTS = mkiso.BUILD / "guest"
CONFORMANCE, MONKEY = GUESTS / "conformance.img", GUESTS / "monkey.img"


def boot(name, opts, cmdline="", kernel=CONFORMANCE, **extra):
    """Boots a test guest under Glasshouse with `opts`."""
    spec = mkiso.glasshouse(opts, kernel, cmdline, None)
    return harness.boot(f"options-{name}", spec, memory=128, ignore_bad_msrs=False, **extra)


def test_strict():
    """An exit without a handler stops Glasshouse with a message; without the option the guest gets #UD.

    Glasshouse does not intercept #UD and has no handler for it; this test sets the intercept. The guest raises
    many #UDs and handles them.
    """
    ud, acts = "provoke=entry:EXCEPTION_BITMAP=40", "cpus=1 seed=1 n=1000"
    words = (r"vCPU 0: exit without a handler: exception that is not intercepted at RIP [0-9a-f]+, "
             r"bytes(?: [0-9a-f]{2})+")
    run = boot("not-strict", ud, acts, kernel=MONKEY)
    assert run.wait() == "power-off"
    assert run.results()
    assert re.search(words + r": #UD to the guest \(16 times\)", run.log("com2.log"))
    run = boot("strict", f"strict panic=reset {ud}", acts, kernel=MONKEY)
    assert run.wait() == "reset"
    log = run.log("com2.log")
    assert re.search(words + r'\. Stopped: the option "strict" is set\.', log)
    assert "the guest cannot continue" in log and log.endswith("as panic=reset says. ***\n")


@pytest.mark.parametrize("level, hidden", [("error", 3), ("warning", 2), ("info", 1), ("debug", 0)])
def test_log(level, hidden):
    """Each level hides the messages of lower levels, once the options are parsed."""
    run = boot(f"log-{level}", f"log={level}")
    assert run.wait() == "power-off"
    assert run.results()
    lines = (r"which is Glasshouse's: (all ones|ignored)", r"Memory hidden from the guest",
             r'Linux: command line ""')
    said = [bool(re.search(line, run.text + run.log("com2.log"))) for line in lines]
    assert said == [True] * (3 - hidden) + [False] * hidden
    # The UART has sent everything before the machine is powered off.
    assert hidden > 1 or run.log("com2.log").endswith(VIRT_OFF + "\n")


def test_log_of_errors():
    """The reason why Glasshouse stops is printed at any level."""
    run = boot("log-stop", "log=error", kernel=GUESTS / "initrd.img")
    run.expect(r"module linux: .*\n(.*\n)*Glasshouse has stopped")
    run.stop()
    assert "Ready?" not in run.text


@pytest.mark.parametrize("choice", ["com1", "com2", "vga", "e9", "com1,vga"])
def test_console(choice):
    """While the guest runs, Glasshouse logs to the chosen consoles only."""
    # Bochs does not power off by this write: the machine halts, and its screen can be read.
    run = boot(f"console-{choice}", f"console={choice}", "end=pm1", commands=bochs.SCREEN)
    screen = run.screen()
    assert run.results()
    texts = {"com1": run.text, "com2": run.log("com2.log"), "e9": run.log("glasshouse.log"), "vga": screen}
    before, after = "Entering the guest.", VIRT_OFF
    assert {name for name, text in texts.items() if after in text} == set(choice.split(","))
    del texts["vga"]  # this line has scrolled off the screen
    assert all(before in text for text in texts.values())


def test_cpus():
    """Glasshouse uses only cpus= of the machine's CPUs, and the guest has only those."""
    run = boot("cpus", "cpus=2", "cpus=2", cpus=3)
    assert run.wait() == "power-off"
    assert run.results()
    assert "CPU 2: left out by cpus=, and parked in root mode." in run.text
    assert "The ACPI tables no longer list the 1 CPUs that do not run the guest." in run.text
    assert "All 2 CPUs run: IPIs no longer exit." in run.log("com2.log")
    assert re.findall(r"^CPU (\d): ready", run.text, re.M) == ["1"]
    assert re.findall(r"^exits: vcpu (\d)", run.log("com2.log"), re.M) == ["0", "1"]


def test_reserve():
    """reserve= adds this much to the reserved memory, up to 2 MiB off because of gaps between the pieces."""
    kept = []
    for opts in ("", "reserve=64M"):
        run = boot(f"reserve-{opts}", opts)
        kept.append(int(run.expect(r"Memory hidden from the guest: (\d+) KiB")[1]))
        run.stop()
    assert abs(kept[1] - kept[0] - 64 * 1024) < 2 * 1024


COM2_NAMED = "COM2 is the guest's: its command line or the ACPI table SPCR names it."


@pytest.mark.parametrize("name, opts, words, logs_to", [
    ("free", "", "", "to COM2 and port E9."),
    ("guest", "", "console=ttyS1,115200", "to port E9."),
    ("port", "", "earlycon=uart8250,io,0x2f8", "to port E9."),
    ("chosen", "console=com2", "console=ttyS1", "to COM2."),
    ("nothing", "console=", "", "only to its ring in memory"),
])
def test_com2_of_guest(name, opts, words, logs_to):
    """A serial line that the guest's command line names is the guest's, unless console= takes it."""
    run = boot(f"com2-{name}", opts, words)
    assert run.wait() == "power-off"
    assert run.results()
    assert f"From here on Glasshouse logs {logs_to}" in run.text
    assert (COM2_NAMED in run.text) == ("com2" not in opts and words != "")
    end = VIRT_OFF
    assert (end in run.log("com2.log")) == ("COM2" in logs_to)
    assert (end in run.log("glasshouse.log")) == ("E9" in logs_to)


def test_com2_taken():
    """COM2 as Linux uses it for a terminal: Glasshouse is silent there meanwhile, and says so elsewhere."""
    run = harness.boot("options-terminal", harness.linux("terminal"))
    assert run.wait() == "power-off"
    assert run.results()
    line = re.search("^taken.*?^released", run.log("com2.log"), re.M | re.S)
    assert line and re.fullmatch(r"taken\s+released", line[0])
    assert "The guest drives a serial line that was Glasshouse's" in run.log("glasshouse.log")
