# SPDX-License-Identifier: MIT
"""`make run` on a terminal: typing, refusals, and the cleanup at its end."""
import contextlib
import fcntl
import io
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path

import pytest

import harness
import mkiso
import run
from monitor import COMMANDS
from progress import Progress

CHOICES = ("CPUS", "CPU", "MEM", "OPTS", "APPEND", "GUEST_KERNEL", "GUEST_INITRD")


def environment(name, **chosen):
    """The environment of `make run` with the variables `chosen` and the folder `name`."""
    return dict(os.environ, TERM="xterm", RUN_FOLDER=str(harness.FOLDER / name),
                **dict(dict.fromkeys(CHOICES, ""), **chosen))


class Terminal:
    """tools/run/run.py, or another program of tools/, on a pseudo-terminal, with a user who types."""

    def __init__(self, name, program=("run/run.py",), **chosen):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        self.before = termios.tcgetattr(self.master)
        self.process = subprocess.Popen([sys.executable, mkiso.ROOT / "tools" / program[0], *program[1:]], stdin=slave,
                                        stdout=slave, stderr=slave, start_new_session=True,
                                        env=environment(name, **chosen))
        self.slave = slave  # stays open, so that the last output can be read
        self.text = ""

    def expect(self, pattern, seconds=harness.SECONDS):
        """Waits for the pattern. Returns the text before it, and drops both."""
        end = time.monotonic() + seconds
        while not (match := re.search(pattern, self.text)):
            assert time.monotonic() < end, f"no {pattern!r} in time; last: {self.text[-500:]}"
            if select.select([self.master], [], [], 1)[0]:
                self.text += os.read(self.master, 4096).decode("latin-1")
            else:
                assert self.process.poll() is None, f"ended without {pattern!r}: {self.text[-500:]}"
        before, self.text = self.text[:match.start()], self.text[match.end():]
        return before

    def type(self, text):
        """Types `text` on the terminal."""
        os.write(self.master, text.encode())

    def bochs(self):
        """The process id of Bochs."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())

    def ends(self, status):
        """Asserts that the program ends with `status` and has restored the terminal."""
        assert self.process.wait(60) == status
        assert termios.tcgetattr(self.master) == self.before


@contextlib.contextmanager
def terminal(name, *program, **chosen):
    """A Terminal that is closed at the end of the test. `program`: Terminal's, if it is not run.py."""
    this = Terminal(name, program or ("run/run.py",), **chosen)
    try:
        yield this
    finally:
        this.process.terminate()
        this.process.wait()
        os.close(this.slave)
        os.close(this.master)


def monitor(this):
    """Ctrl-T switches between the guest and the monitor, which waits after each page of the terminal."""
    this.type("\x14")
    this.expect("the monitor; Ctrl-T: back(?s:.*)glasshouse\\) (?s:.*)page 33 111\r\nok\r\n")
    this.type("help\r")
    assert this.expect("--more--").count("\n") > 10
    this.type("q")
    this.expect("err: stopped\r\n")
    this.type("ls\r")
    assert "vCPU 1 on CPU 1: runs" in this.expect("ok\r\n")
    this.type("\x14nproc\r")
    this.expect("the guest")
    assert this.expect("/ # ").split()[-1] == "2"


def test_run():
    """The guest's shell works on the terminal: nproc prints 2, poweroff ends with status 0. The monitor is there, too."""
    with terminal("typed", CPUS="2") as this:
        this.expect(r"\r\[\d+ s\] the BIOS and GRUB load")
        assert termios.tcgetattr(this.master) != this.before
        # The progress line is erased before the machine's first output.
        assert this.expect(r"Glasshouse \S+\r\n").rstrip("\r\n").endswith("\r\x1b[K")
        this.expect(r"\r\[\d+ s\] the guest boots: \d+ of about 900 million instructions")
        this.expect(r"all its CPUs run")
        this.expect("2 CPUs, under Glasshouse.")
        this.expect("/ # ")
        this.type("nproc\r")
        assert this.expect("/ # ").split()[-1] == "2"
        this.type("stty size\r")
        assert this.expect("/ # ").split()[-2:] == ["33", "111"]
        this.type("sleep 999\r")
        this.expect("sleep 999\r\n")
        with pytest.raises(AssertionError, match="in time"):
            this.expect(r"\[", 3)
        this.type("\x03")
        this.expect("/ # ")
        this.type("\x01h")
        this.expect("switch the machine off")
        monitor(this)
        this.type("poweroff\r")
        this.expect("powered off")
        this.ends(0)


def test_monitor_com1():
    """With the monitor on COM1, Ctrl-T goes to the machine, where Glasshouse switches."""
    with terminal("shared", CPUS="2", OPTS="monitor=com1") as this:
        this.expect("2 CPUs, under Glasshouse.")
        this.expect("/ # ")
        this.type("\x14")
        this.expect("the monitor; Ctrl-T: back(?s:.*)glasshouse\\) ")
        this.type("version\r")
        assert "Glasshouse " in this.expect("ok\r\n")
        this.type("\x14")
        this.expect("the guest")
        this.type("nproc\r")
        assert this.expect("/ # ").split()[-1] == "2"
        this.type("\x01x")
        this.ends(0)


class Shell:
    """The guest's shell and the monitor on one terminal, with a person who waits for the echo."""

    def __init__(self, this):
        self.this = this

    def type(self, text):
        """Types a line."""
        for at in range(0, len(text), 12):
            self.this.type(text[at:at + 12])
            self.this.expect(re.escape(text[at:at + 12]))
        self.this.type("\r")

    def ask(self, command, last="ok"):
        """The lines of the monitor's answer, whose last one must match `last`."""
        self.type(command)
        lines = self.this.expect(r"\(glasshouse\) ").replace("\r", "").strip("\n").split("\n")
        assert re.fullmatch(last, lines[-1]), (command, lines)
        return lines[:-1]

    def example(self, name):
        """The example of a command, as its help has it."""
        told = self.ask(f"help {name}")
        assert told[0].startswith((f"{name}: ", f"{name} [", f"{name} ")) and " :" not in told[0], told
        return told[1].partition("example: ")[2]

    def call(self):
        """Goes to the monitor."""
        self.this.type("\x14")
        self.this.expect("the monitor; Ctrl-T: back")

    def leave(self):
        """Goes to the guest."""
        self.this.type("\x14")
        self.this.expect("the guest")

    def guest(self, command):
        """The lines that a command prints in the guest's shell."""
        self.type(command)
        return self.this.expect("/ # ").replace("\r", "").strip("\n").split("\n")

    def live(self, command, guest, pattern):
        """A command that goes on, until something that `guest` does meanwhile has made it print `pattern`."""
        self.type(command)
        self.leave()
        self.guest(guest)
        self.call()
        return self.this.expect(pattern)


# What the answers to some examples must say, and what is done after them.
SAID = {
    "version": "Glasshouse ", "ls": "vCPU 1 on CPU 1: runs", "caps": "Ready +yes", "vmcs": "GUEST_RIP=[0-9a-f]{16}", "regs": "CR3 [0-9a-f]+",
    "x": "fffffe0000000000: ", "bt": "ffffffff[0-9a-f]{8}", "pt": "level 1 at|level 2 at", "ept": "fee00000 is host-physical fee00000",
    "why": "vCPU 1 exited last at", "step": "[0-9a-f]{16}: ",
}
AFTER = {"page": "page", "watch": "watch off all", "patch": "patch 1000 off", "icept": "icept exc pf off", "step": "resume", "set": "set cpuid off"}
REFUSED = {"spt": "err: there are no shadow page tables.*", "log": "err: there is no log of the boot before.*"}


@pytest.mark.soak
def test_every_command():
    """Each command's example does what it says on Linux with two CPUs, reached by `make run` and Ctrl-T; wrong words do nothing."""
    with terminal("every", CPUS="2") as this:
        shell = Shell(this)
        this.expect("2 CPUs, under Glasshouse.")
        this.expect("/ # ")
        this.type("\x14")
        this.expect(r"page 33 111\r\nok\r\n(?s:.*)glasshouse\) ")
        shell.ask("page")
        told = shell.ask("help")
        names = [line.split()[0] for line in told]
        assert [name for name in names if name in COMMANDS] == COMMANDS
        for name in COMMANDS:
            example = shell.example(name)
            print(name, "|", example)
            if name in ("stat", "cycle", "inject", "reset"):
                continue
            if name == "step":
                shell.ask("pause")
            said = "\n".join(shell.ask(example, REFUSED.get(name, "ok")))
            assert re.search(SAID.get(name, ""), said), (name, said)
            if name in AFTER:
                shell.ask(AFTER[name])
        for command, why in (("icept msr 10", "say r, w, rw or off at the end"), ("icept msr 10 x", "say r, w, rw or off at the end"),
                             ("icept msr zz r", ".*hexadecimal.*"), ("icept msr", ".*missing.*"), ("inject 1", "say irq .*"),
                             ("inject 1 irq", ".*VECTOR is missing.*"), ("kick 2", "there is no such vCPU.*"), ("reset now", "too many words.*")):
            shell.ask(command, f"err: {why}")
        told = shell.live("stat -w", "for i in 1 2 3 4 5 6; do busybox true; sleep 1; done", r"CPUID +\d+(?s:.*)Ctrl-C ends it")
        assert "VM-EXIT" in told
        this.type("\x03")
        this.expect(r"\^C\r\nok\r\n(?s:.*)glasshouse\) ")
        shell.type("cycle 0 reason CPUID")
        shell.leave()
        shell.guest("for i in 1 2 3 4; do taskset 1 busybox true; done")
        shell.call()
        told = this.expect(r"in all\r\nok\r\n(?s:.*)glasshouse\) ")
        assert "choose the handler by the exit reason: CPUID at RIP" in told and "VMRESUME" in told
        shell.ask("inject 1 nmi")
        shell.ask("inject 1 irq 236")  # Linux' local timer
        shell.leave()
        assert shell.guest("echo alive $((6 * 7)) $(nproc)")[-1] == "alive 42 2"
        assert any("NMI" in line for line in shell.guest("dmesg | tail -n 20"))
        shell.call()
        shell.ask(shell.example("inject"))  # a #GP that nobody has caused
        shell.leave()
        this.expect("general protection fault")
        shell.call()
        shell.type("reset")
        shell.leave()
        this.expect("2 CPUs, under Glasshouse.")
        this.expect("/ # ")
        shell.call()
        assert any("Entering the guest" in line for line in shell.ask("log last"))
        shell.leave()
        shell.type("poweroff")
        this.expect("powered off")
        this.ends(0)


def test_no_monitor(monkeypatch):
    """Without a monitor, Ctrl-T goes to the machine."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as keyboard:
        tty.setraw(keyboard)
        monkeypatch.setattr(sys, "stdin", keyboard)
        ours, theirs = socket.socketpair()
        theirs.settimeout(harness.SECONDS)
        relay = threading.Thread(target=run.relay, args=(ours, io.BytesIO(), Progress(harness.FOLDER)))
        relay.start()
        for keys in b"\x14", b"a\x14b":
            os.write(master, keys)
            assert theirs.recv(99) == keys
        theirs.close()
        relay.join()
    os.close(master)


def test_refused():
    """If Glasshouse refuses the machine, `make run` prints the reason and ends."""
    with terminal("refused", CPU="p4_prescott_celeron_336", CPUS="1") as this:
        this.expect("This model lacks VT-x or 64-bit mode")
        this.expect("VT-x +none")
        this.expect("Glasshouse has stopped, for the reason above")
        this.ends(1)


def test_pipe(monkeypatch):
    """Input from a pipe is sent only after the guest's prompt, since nothing reads it before."""
    reader, writer = os.pipe()
    os.write(writer, b"poweroff\n")
    os.close(writer)
    monkeypatch.setattr(sys, "stdin", os.fdopen(reader))
    ours, theirs = socket.socketpair()
    relay = threading.Thread(target=run.relay, args=(ours, io.BytesIO(), Progress(harness.FOLDER)))
    relay.start()
    theirs.sendall(b"Glasshouse\r\n")
    assert not select.select([theirs], [], [], 1)[0]
    theirs.sendall(b"/ # ")
    assert theirs.recv(99) == b"poweroff\n"
    theirs.close()
    relay.join()


def test_erased(monkeypatch, capsysbinary):
    """The progress line is erased before the machine's output is shown, also when a line comes in pieces."""
    monkeypatch.setattr("progress.has_escapes", lambda: True)
    ours, theirs = socket.socketpair()
    relay = threading.Thread(target=run.relay, args=(ours, io.BytesIO(), Progress(harness.FOLDER)))
    relay.start()
    shown = b""
    while b"load" not in shown:
        time.sleep(0.1)
        shown += capsysbinary.readouterr().out
    theirs.sendall(b"Glass")
    time.sleep(0.1)
    theirs.sendall(b"house 1\r\n")
    theirs.close()
    relay.join()
    shown += capsysbinary.readouterr().out
    assert shown.endswith(b"its guest\x1b[K\r\x1b[KGlasshouse 1\r\n")


def test_progress(monkeypatch, tmp_path):
    """The stages of a boot, and of a second boot while the log of the first still exists."""
    monkeypatch.setattr("progress.has_escapes", lambda: True)
    log = tmp_path / "glasshouse.log"
    (tmp_path / "bochs.log").write_text("00000000000i[     ] a\n00251000000e[CPU0 ] b\n002510")
    progress = Progress(tmp_path, 900)
    for old in ("", "All 2 CPUs run: IPIs no longer exit.\n"):
        log.write_text(old)
        assert progress.stage().startswith("the BIOS and GRUB")
        progress.output(b"\r\nGlasshouse 1\r\n")
        assert progress.stage() == "Glasshouse prepares the machine"
        progress.output(b"Entering the guest. From here on\r\n")
        assert re.fullmatch("the guest boots: 251( of about 900)? million instructions",
                            progress.stage())
        log.write_text(old + "All 2 CPUs run: IPIs no longer exit.\n")
        assert "all its CPUs run: 251" in progress.stage()
        progress.output(b"/ # ")
        progress.typed()
        assert not progress.enabled
        progress.output(b"reboot: Restarting system\r\n")
        assert progress.enabled


def kill_bochs(this):
    """Kills the emulator."""
    os.kill(this.bochs(), signal.SIGKILL)


def end(this, which):
    """Sends the signal, just after typed text has arrived at the terminal."""
    this.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, this.process.pid, os.WSTOPPED | os.WNOWAIT)
    this.type("rm -r important\r")
    assert select.select([this.slave], [], [], 60)[0]
    this.process.send_signal(which)
    this.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("name, act, words, status", [
    ("escape", lambda this: this.type("\x01x"), "Switched off", 0),
    ("killed", kill_bochs, "ended unexpectedly. Bochs' message: nothing", 1),
    ("term", lambda this: end(this, signal.SIGTERM), "", 130),
    ("hangup", lambda this: end(this, signal.SIGHUP), "", 130),
])
def test_ends(name, act, words, status):
    """However `make run` ends, it restores the terminal, discards unread input and ends Bochs."""
    with terminal(name) as this:
        this.expect(r"\r\[\d+ s\] the BIOS and GRUB load")
        bochs = this.bochs()
        act(this)
        this.expect(words)
        this.ends(status)
        assert not select.select([this.slave], [], [], 0)[0]
        assert not Path(f"/proc/{bochs}").exists()


def test_gone():
    """`make run` also ends if its terminal disappears without a signal."""
    with terminal("gone") as this:
        this.expect(r"\r\[\d+ s\] the BIOS and GRUB load")
        bochs = this.bochs()
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), this.master)
        assert this.process.wait(60) == 130
        assert not Path(f"/proc/{bochs}").exists()


@pytest.mark.parametrize("chosen, words", [
    ({"CPUS": "0"}, "CPUS=0: give a number of CPUs from 1 to 8"),
    ({"CPUS": "9"}, "CPUS=9: give a number"),
    ({"CPUS": "abc"}, "CPUS=abc: give a number"),
    ({"MEM": "abc"}, "MEM=abc: give a number of MiB from"),
    ({"MEM": "3"}, "MEM=3: give a number"),
    ({"MEM": "100000"}, "MEM=100000: give a number"),
    ({"CPU": "quit_sim"}, r"CPU=quit_sim: .* no such model(?s:.*)corei7_haswell_4770(?s:.*)refuses"),
    ({"OPTS": "icpt=pf"}, r'"icpt": unknown; did you mean "icept"(?s:.*)OPTS=icpt=pf'),
    ({"OPTS": "strict icr=trp"}, r'"icr": "trp" is not allowed; give lift or trap \('),
    ({"OPTS": "icr='trap"}, "OPTS=icr='trap: No closing quotation"),
    ({"APPEND": 'a="b'}, 'APPEND=a="b: No closing quotation'),
    ({"GUEST_KERNEL": "/nowhere"}, "GUEST_KERNEL=/nowhere: No such file or directory; give a Linux"),
    ({"GUEST_KERNEL": "/tmp"}, "GUEST_KERNEL=/tmp: Is a directory; give"),
    ({"GUEST_KERNEL": "/dev/null"}, "GUEST_KERNEL=/dev/null: the file is empty; give"),
    ({"GUEST_KERNEL": str(mkiso.ELF)}, "this is no bzImage but an ELF file.*; give"),
    ({"GUEST_KERNEL": __file__}, "this is no bzImage but a file without its setup header.*; give"),
    ({"GUEST_INITRD": "/nowhere"}, "GUEST_INITRD=/nowhere: No such file or directory; give"),
])
def test_wrong(chosen, words):
    """Wrong choices are refused before the machine starts, with a message that says what to give."""
    done = subprocess.run([sys.executable, mkiso.ROOT / "tools/run/run.py"], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
                          env=environment("wrong", **chosen))
    assert done.returncode == 1 and not done.stdout
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
