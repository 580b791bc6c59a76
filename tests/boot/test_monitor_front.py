# SPDX-License-Identifier: MIT
"""The monitor's terminal: Tab, Ctrl-C, the pager, a paste. The random guest runs meanwhile."""
import mkiso
from monitor import PROMPT, boot


def lines_of(monitor, count):
    """The answers to `count` lines that have been sent at once: what follows each prompt."""
    return [monitor.until(PROMPT).strip("\n").split("\n") for _ in range(count)]


def tab(monitor):
    """Arguments are completed, and listed; a command tells what it is called elsewhere."""
    monitor.line.sendall(b"vmcs ho\t")
    monitor.until("vmcs host ")
    monitor.line.sendall(b"\x15help pa\t")
    monitor.until("\npage pause\n" + PROMPT + "help pa")
    monitor.line.sendall(b"\x15")
    assert monitor.ask("help x")[2:] == ["in gdb: x/40xb", "in Bochs' debugger: x, xp", "in QEMU's monitor: x, xp"]


def stop(monitor):
    """Ctrl-C ends a long answer; what is typed while a command prints is the next one."""
    monitor.type("x -p 100000 4096")
    monitor.line.sendall(b"\r")
    monitor.until("0000000000100010:")
    monitor.line.sendall(b"\x03")
    told = monitor.until(PROMPT).strip("\n").split("\n")
    assert told[-1] == "err: stopped" and len(told) < 250, told
    monitor.line.sendall(b"regs\rversion\r")
    regs, version = lines_of(monitor, 2)
    assert regs[0].endswith("regs") and regs[-1] == "ok"
    assert version[0] == "version" and version[1].startswith("Glasshouse ") and version[2] == "ok"


def page(monitor):
    """The pager waits when it has been asked to, and not otherwise."""
    monitor.ask("page 4")
    monitor.type("x -p 100000 160")
    monitor.line.sendall(b"\r")
    assert monitor.until("--more--").count("\n") == 4  # with the command's own
    monitor.line.sendall(b"\r")
    assert monitor.until("--more--").count("\n") == 1
    monitor.line.sendall(b" ")
    assert monitor.until("--more--").count("\n") == 3
    monitor.line.sendall(b"q")
    assert monitor.until(PROMPT).endswith("err: stopped\n")
    monitor.ask("page")
    assert len(monitor.ask("x -p 100000 160")) == 10


def paste(monitor):
    """Of 4 KiB that come at once not one byte is lost; of more than is kept, the rest is dropped as a whole."""
    lines = [f"line-{number:03}-".ljust(100, "abcdefghijklmnopqrstuvwxyz"[number % 26]) for number in range(40)]
    monitor.line.sendall(b"\r")
    monitor.until(PROMPT)
    text = "".join(f"{line}\r" for line in lines).ljust(4096, " ")
    monitor.line.sendall(text.encode())
    for line, told in zip(lines, lines_of(monitor, len(lines))):
        assert told == [line, "err: there is no such command; help lists them"]
    monitor.line.sendall(b"\x15" + b"help vmcs\r" * 900)
    told = monitor.until("err: bytes were lost: more came at once than is kept. Before a paste, press Enter.\n" + PROMPT)
    assert told.count("example: vmcs 1 rip") > 5
    assert monitor.ask("help page")[1] == "example: page 24"


def test_terminal():
    """What a person does at the terminal, and a program that sends more than a person can type."""
    guest = mkiso.glasshouse("monitor=com2 console=e9", mkiso.BUILD / "guest/monkey.img", "seed=7 n=1000000000", None)
    run, monitor = boot("monitor-terminal", guest, cpus=1, memory=128, ticks=30_000_000_000, ignore_bad_msrs=False)
    monitor.until("The monitor of Glasshouse listens")
    monitor.until(PROMPT)
    tab(monitor)
    stop(monitor)
    page(monitor)
    paste(monitor)
    assert "defect of Glasshouse" not in run.log("glasshouse.log")
    run.stop()
