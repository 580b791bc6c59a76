# SPDX-License-Identifier: MIT
"""The monitor on COM1, which the guest uses, too: Debian's Linux on two CPUs, with its console there."""
import hashlib
import re

import bochs
import harness
import mkiso

CTRL_T = "\x14"
PROMPT = "(glasshouse) "
SHELL = "/ # "
LINES = 600  # of the busy guest


class Terminal:
    """The terminal on COM1, with somebody who types."""

    def __init__(self, run):
        self.run = run

    def until(self, text):
        """Waits for `text`. Returns what came before it, without what erases the rest of a line."""
        start = self.run.seen
        self.run.expect(re.escape(text))
        return self.run.text[start:self.run.seen - len(text)].replace("\x1b[K", "")

    def type(self, keys):
        """Sends `keys` as a person types, who waits for the echo."""
        for at in range(0, len(keys), 8):
            self.run.send(keys[at:at + 8])
            self.until(keys[at:at + 8])

    def shell(self, command):
        """The lines that a command in the guest's shell prints."""
        self.type(command)
        self.run.send("\r")
        return self.until(SHELL).strip("\n").split("\n")

    def ask(self, command):
        """The lines of the answer to a command of the monitor, without the last one, which must be ok."""
        self.type(command)
        self.run.send("\r")
        lines = self.until(PROMPT).strip("\n").split("\n")
        assert lines[-1] == "ok", lines
        return lines[:-1]

    def call(self):
        """Calls the monitor. Returns what came before its first line."""
        self.run.send(CTRL_T)
        before = self.until("[the monitor; Ctrl-T: back]\n")
        self.until(PROMPT)
        return before

    def leave(self):
        """Gives the terminal back to the guest."""
        self.run.send(CTRL_T)
        self.until("[the guest]\n")


def same_uart(terminal):
    """Linux' driver has found the UART that it finds natively, and has its interrupts."""
    assert any(line.endswith("ttyS0 at I/O 0x3f8 (irq = 4, base_baud = 115200) is a 16550A")
               for line in terminal.shell("dmesg | grep ttyS0"))
    told = terminal.shell("cat /proc/tty/driver/serial; grep ttyS0 /proc/interrupts")
    assert any(re.match(r"0: uart:16550A port:000003F8 irq:4 tx:\d+ rx:\d+ RTS\|CTS\|DTR\|DSR$", line) for line in told), told
    assert any(re.match(r" *4: .*IO-APIC +4-edge +ttyS0", line) and re.search(r" [1-9]\d* ", line) for line in told), told


def take(terminal, count, data, command):
    """Sends `data` at once to a guest that reads `count` bytes as they come. Returns what `command` says of them."""
    terminal.type(f"stty -icanon -echo; echo rea''dy; head -c {count} | {command}; stty icanon echo")
    terminal.run.send("\r")
    terminal.until("ready\n")
    terminal.run.send(data)
    return terminal.until(SHELL).strip("\n")


def paste(terminal):
    """Of 4 KiB that come at once neither side loses a byte."""
    data = "".join(f"the guest's line {number:03}".ljust(80, "abcdefghijklmnopqrstuvwxyz"[number % 26]) + "\n"
                   for number in range(51))[:4096]
    assert len(data) == 4096
    assert take(terminal, 4096, data, "md5sum").split()[0] == hashlib.md5(data.encode()).hexdigest()
    terminal.call()
    lines = [f"line-{number:03}-".ljust(100, "abcdefghijklmnopqrstuvwxyz"[number % 26]) for number in range(40)]
    terminal.run.send("".join(f"{line}\r" for line in lines).ljust(4096, " "))
    for line in lines:
        told = terminal.until(PROMPT).strip("\n").split("\n")
        assert told == [line, "err: there is no such command; help lists them"]
    terminal.run.send("\x15")
    terminal.leave()


def framed(data):
    """A packet of gdb's remote protocol."""
    return f"${data}#{sum(data.encode()) % 256:02x}"


def switch(terminal):
    """Of Ctrl-T the guest gets nothing, but of two at once it gets one. gdb's packets may have it as a byte."""
    assert terminal.ask("version")[0].startswith("Glasshouse ")
    terminal.ask("pause")
    terminal.leave()
    terminal.call()
    terminal.ask("resume")
    terminal.run.send("$?#3f")
    terminal.run.expect(r"\+\$T0[05].*#[0-9a-f]{2}")
    terminal.run.send("+$\x14#14")
    terminal.until("+$#00")
    for packet, reply in ("qCRC:0,1", ""), ("vContinue", ""), ("vCont", "E01"):
        terminal.run.send(f"+{framed(packet)}")
        terminal.until(f"+{framed(reply)}")
    terminal.run.send("+$D#44")
    terminal.until("$OK#9a")
    terminal.run.send("+")
    terminal.leave()
    data = f"a{CTRL_T}version\r{CTRL_T}b{CTRL_T * 2}c"
    before, monitors, after = re.split(r"\[the monitor; Ctrl-T: back\]\n|\[the guest\]\n", take(terminal, 4, data, "od -c"))
    assert monitors.strip("\n").split("\n")[1].startswith("Glasshouse "), monitors
    assert (before + after).strip("\n").split("\n")[0].split() == ["0000000", "a", "b", "024", "c"], after


def busy(terminal):
    """A guest that prints all the time is not broken into: by the monitor, nor by Glasshouse's log."""
    line = "line {} of a guest that prints all the time"
    start = terminal.run.seen
    # The keyboard controller is told to switch A20 off: the log tells of that.
    log = r"[ $i = 300 ] && printf '\335' | e9 64"
    # However late the monitor is called, some lines come after it: those behind the Enter.
    wait = f"[ $i = {LINES - 50} ] && read x"
    terminal.type(f"stty -echo; for i in $(seq {LINES}); do echo {line.format('$i')}; {log}; {wait}; done; stty echo")
    terminal.run.send("\r")
    terminal.until(line.format(50) + "\n")
    terminal.call()
    terminal.ask("vmcs 1")
    kept = len(terminal.run.text)
    terminal.ask("ls")
    assert "line" not in terminal.run.text[kept:]
    terminal.leave()
    terminal.run.send("\r")
    terminal.until(line.format(LINES) + "\n")
    terminal.until(SHELL)
    text = terminal.run.text[start:terminal.run.seen].partition("stty echo\n")[2]
    ours = text[text.index("[the monitor"):text.index("[the guest]\n") + len("[the guest]\n")]
    lines = text.replace(ours, "").split("\n")
    logged = [each for each in lines if "A20" in each]
    guests = [each for each in lines if each not in logged and "line" in each]
    assert guests == [line.format(number) for number in range(1, LINES + 1)]
    assert len(logged) == 1, text[-5000:]
    assert re.fullmatch(r"vCPU \d: the guest at RIP \w+ switches A20 off: ignored, A20 stays on", logged[0])


def test_com1():
    """Linux' console and the monitor on one line."""
    spec = mkiso.glasshouse("monitor=com1 console=com1,e9", cmdline=f"{mkiso.CMDLINE} {bochs.LINUX_QUICK}")
    run = harness.boot("com1", spec, cpus=2, ticks=30_000_000_000)
    terminal = Terminal(run)
    run.expect("The monitor shares COM1 with the guest")
    run.expect("2 CPUs, under Glasshouse.")
    terminal.until(SHELL)
    terminal.shell("stty cols 250")  # the shell does not break what is typed
    same_uart(terminal)
    terminal.call()
    switch(terminal)
    paste(terminal)
    busy(terminal)
    run.send("poweroff\r")
    assert run.wait() == "power-off"
    assert "Virtualisation is off on all CPUs." in run.text
