#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make run, make run-uefi, make bochs-debugger: boots the ISO, or a disk for UEFI, in Bochs on this terminal.

In the environment, CPUS, CPU, MEM choose the machine; OPTS, APPEND, GUEST_KERNEL, GUEST_INITRD the guest.
Unless OPTS says where the monitor is, make run and make run-uefi have it on COM2.
"""
import contextlib
import errno
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import textwrap
import tty
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "image"))

import bochs  # noqa: E402  pylint: disable=wrong-import-position
import mkesp  # noqa: E402  pylint: disable=wrong-import-position
import mkiso  # noqa: E402  pylint: disable=wrong-import-position
from progress import Progress, has_escapes  # noqa: E402  pylint: disable=wrong-import-position

# Instructions, in millions, until the default guest's shell; about the same on all models.
SHELL_INSTRUCTIONS = {bochs.BIOS: 900, bochs.OVMF: 2200}
FOLDER = Path(os.environ.get("RUN_FOLDER") or mkiso.BUILD / "run")
ESCAPE = 0x01  # Ctrl-A
SWITCH = b"\x14"  # Ctrl-T, where the monitor has a line of its own
HELP = """
Ctrl-A x    switch the machine off, at once
Ctrl-A h    this help
Ctrl-A a    send a Ctrl-A to the machine; Ctrl-A t    send a Ctrl-T
Ctrl-T      switch between the guest and Glasshouse's monitor; with OPTS=monitor=none it goes to the machine
Ctrl-C goes to the machine. After resizing the window, tell the guest: stty rows 40 cols 120
Glasshouse's messages while the guest uses the serial line: {log}
"""

# Glasshouse's last message when it refuses the machine or the guest, and when it panics.
STOP_MESSAGE = re.compile(rb"^(Glasshouse has stopped\.|Glasshouse: .* Stopped\.|\*\*\* Stopped\.)"
                        rb"[^\n]*\n", re.M)

# Undo terminal modes that a program in the guest may have set: the alternate screen, keypad and cursor
# keys in application mode, bracketed paste, a hidden cursor, colours.
TERMINAL_RESET = "\x1b[?47l\x1b[?1l\x1b>\x1b[?2004l\x1b[?25h\x1b[0m"


def number(name, default, low, high, unit):
    """The number in an environment variable; exits if it is not a number within the range."""
    text = os.environ.get(name) or str(default)
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        sys.exit(f"{name}={text}: give a number of {unit} from {low} to {high}; the default is "
                 f"{default}")
    return int(text)


def cpu_model():
    """The CPU model that the variable CPU names; exits if Bochs does not support it."""
    model = os.environ.get("CPU") or "corei7_haswell_4770"
    known = bochs.models()
    if model not in known:
        names = (" ".join(m for m in known if m in bochs.CAPABLE),
                 " ".join(m for m in known if m not in bochs.CAPABLE))
        lists = [textwrap.fill(n, 96, initial_indent="  ", subsequent_indent="  ") for n in names]
        sys.exit(f"CPU={model}: this Bochs has no such model. Models that Glasshouse runs on, from old "
                 f"to new:\n{lists[0]}\nModels that Glasshouse refuses, with a message:\n{lists[1]}")
    return model


def machine(bios=bochs.BIOS, option=""):
    """Builds the ISO, or for OVMF a disk, for the environment's choices and one more option. Returns the machine."""
    cpus, memory = number("CPUS", 2, 1, 8, "CPUs"), number("MEM", 512, 128, 2048, "MiB")
    model = cpu_model()
    extra = bochs.LINUX_QUICK
    if sys.stdout.isatty():
        size = shutil.get_terminal_size()
        extra += f" gh.size={size.columns}x{size.lines}"
    if bios == bochs.OVMF:
        extra += f" {bochs.KEEP_WATCHED}"
    boot = mkiso.from_environment(extra)
    boot.first.words = f"{boot.first.words} {option}".strip()
    if bios == bochs.OVMF:
        disk = mkesp.make_esp(FOLDER / "esp.img", mkesp.installed(boot, cpus))
        return bochs.Machine(disk, model, cpus, memory, bios=bios)
    iso = mkiso.make_iso(FOLDER / "glasshouse.iso", boot)
    return bochs.Machine(iso, model, cpus, memory)


@contextlib.contextmanager
def raw_terminal():
    """Puts stdin into raw mode if it is a terminal, and restores it afterwards."""
    if not sys.stdin.isatty():
        yield
        return
    saved = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        # Discard what was typed for the machine but not read: the shell must not get it.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, saved)
        if has_escapes():
            show(TERMINAL_RESET.encode())


def keys(data, escaped):
    """Parses typed bytes. Returns those for the machine, whether Ctrl-A is pending, and a command or None."""
    out, asked = bytearray(), None
    for byte in data:
        if escaped:
            escaped = False
            if byte in b"xX":
                asked = "quit"
            elif byte in b"a\x01":
                out.append(ESCAPE)
            elif byte in b"tT":
                out += SWITCH
            else:
                asked = asked or "help"
        elif byte == ESCAPE and sys.stdin.isatty():
            escaped = True
        else:
            out.append(byte)
    return bytes(out), escaped, asked


def show(data):
    """Writes bytes to the terminal and flushes."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class Lines:
    """The serial lines that share the terminal: the guest's, and the monitor's if there is one. One is shown."""

    def __init__(self, serial, monitor, log):
        self.serial, self.monitor, self.log = serial, monitor, log
        self.shown = serial
        self.waiting = b""  # the end of what has come on the other line
        self.paged = False  # the monitor knows the height of the terminal

    def read(self, line):
        """Reads what has come on a line, and shows or keeps it. Returns it; b"": the machine has ended."""
        try:
            data = line.recv(4096)
        except ConnectionError:
            data = b""
        if line is self.serial:
            self.log.write(data)
        if line is self.shown:
            show(data)
        else:
            self.waiting = (self.waiting + data)[-65536:]
        return data

    def switch(self):
        """Shows the other line."""
        self.shown = self.serial if self.shown is self.monitor else self.monitor
        show(b"\r\n[the guest]\r\n" if self.shown is self.serial else b"\r\n[the monitor; Ctrl-T: back]\r\n")
        show(self.waiting)
        self.waiting = b""
        if not self.paged:
            size = os.get_terminal_size(sys.stdin.fileno())
            self.send(f"page {size.lines} {size.columns}\r".encode())
            self.paged = True

    def send(self, data):
        """Sends what was typed to the line that is shown."""
        with contextlib.suppress(ConnectionError):
            self.shown.sendall(data)


def relay(serial, log, progress, monitor=None):
    """Relays bytes between terminal and serial lines. Returns why it ended.

    "ended": the machine ended; "stopped": Glasshouse printed its stop message; "quit": the user typed
    Ctrl-A x.
    """
    lines = Lines(serial, monitor, log)
    sources, escaped, person = [serial] + [monitor] * bool(monitor), False, sys.stdin.isatty()
    # A terminal's input is sent at once; a pipe's input waits for the guest's prompt.
    seen, prompt = b"", b"" if person else b"# "
    while True:
        if prompt is not None and prompt in seen:
            sources.append(sys.stdin.fileno())
            prompt = None
        readable = select.select(sources, [], [], 1)[0]
        if readable:
            progress.erase()
        elif lines.shown is serial:
            progress.idle()
        for ready in readable:
            if ready is monitor:
                if not lines.read(monitor):
                    sources.remove(monitor)
                continue
            if ready is serial:
                data = lines.read(serial)
                progress.output(data)
                seen = (seen + data)[-500:]
                stopped = STOP_MESSAGE.search(seen)
                if (stopped or not data) and lines.shown is monitor:
                    lines.switch()
                if stopped or not data:
                    return "stopped" if stopped else "ended"
                continue
            data = os.read(ready, 1024)
            if not data and person:
                raise OSError(errno.EIO, "the terminal has gone")
            if not data:
                sources.remove(ready)
                continue
            progress.typed()
            for part in re.split(b"(" + SWITCH + b")", data) if monitor and person else [data]:
                if part == SWITCH and monitor and person:
                    lines.switch()
                    continue
                out, escaped, asked = keys(part, escaped)
                lines.send(out)
                if asked == "quit":
                    return "quit"
                if asked == "help":
                    show(HELP.format(log=FOLDER / "glasshouse.log").replace("\n", "\r\n").encode())


def announce(this):
    """Prints what the user is about to see."""
    refused = "" if this.model in bochs.CAPABLE else """
This model lacks VT-x or 64-bit mode: you will see how Glasshouse refuses it.
"""
    before = ("BIOS and GRUB write to the screen, but this is the serial line" if this.bios == bochs.BIOS else
              "the UEFI firmware OVMF and GRUB print little, and load the kernel slowly")
    print(f"""\
Starting a PC with {this.cpus} CPUs ({this.model}) and {this.memory} MiB in the emulator Bochs.
{refused}You will see:
  - at first only a progress line: {before}
  - Glasshouse's report about the CPUs
  - Linux as its guest, with a shell: type there; 'poweroff' ends it
This takes from half a minute on a fast computer to some minutes on a busy one.
Glasshouse's own messages: {FOLDER}/glasshouse.log. Bochs': {FOLDER}/bochs.log.
Ctrl-A x ends it at once, Ctrl-A h shows help.
""", flush=True)


def ending(how):
    """Prints how the machine ended. Returns the exit status."""
    if how == "quit":
        print("\nSwitched off.")
        return 0
    if how == "stopped":
        print("\nGlasshouse has stopped, for the reason above. The machine is switched off.",
              file=sys.stderr)
        return 1
    words = (FOLDER / "stderr.log").read_text(errors="replace")
    if "soft power off" in words:
        print("\nThe machine has powered off.")
        return 0
    words = words[words.find("====="):].strip() if "=====" in words else "nothing (it was killed)"
    print(f"\nThe machine ended unexpectedly. Bochs' message: {words}\n"
          f"See {FOLDER}/bochs.log and glasshouse.log.", file=sys.stderr)
    return 1


def run(bios):
    """make run, make run-uefi: boots on this terminal. Returns the exit status."""
    named = [word for word in mkiso.words_of("OPTS") if word.startswith("monitor=")]
    this = machine(bios, "" if named else "monitor=com2")
    announce(this)
    total = 0 if os.environ.get("GUEST_KERNEL") else SHELL_INSTRUCTIONS[bios]
    return on_terminal(this, total, not named or "monitor=com2" in named)


def on_terminal(this, total, wanted):
    """Runs a machine on this terminal, with a monitor if one is `wanted`. Returns the exit status.

    `total`: how many million instructions the progress line counts; 0: it is not known.
    """
    how = "quit"
    monitor = None
    try:
        with socket.create_server(("127.0.0.1", 0)) as com2:
            process, serial = bochs.start(this, FOLDER, bochs.script(resets=1000, bios=this.bios), com2 if wanted else None)
            if wanted:
                monitor = com2.accept()[0]
    except RuntimeError as error:
        sys.exit(f"run: {error}")
    try:
        with serial, raw_terminal(), (FOLDER / "com1.log").open("wb", buffering=0) as log:
            how = relay(serial, log, Progress(FOLDER, total), monitor)
    finally:
        if how != "ended":
            process.kill()
        process.wait()
    return ending(how)


def debug():
    """make bochs-debugger: boots under Bochs' debugger, on this terminal. Returns the exit status."""
    this = machine()
    names = subprocess.run(["nm", "-n", mkiso.ELF], capture_output=True, text=True, check=True)
    symbols = [line.split() for line in names.stdout.splitlines()]
    (FOLDER / "symbols").write_text("".join(f"{s[0]} {s[2]}\n" for s in symbols if len(s) == 3))
    (FOLDER / "com1.log").unlink(missing_ok=True)
    (FOLDER / "bochsrc").write_text(this.bochsrc("mode=file, dev=com1.log"))
    (FOLDER / "script").write_text('ldsym global "symbols"\n')
    print(f"""\
This is Bochs' own debugger, with Glasshouse's symbols. To see the serial line,
run on a second terminal:  tail -f {FOLDER}/com1.log
  lb 0xADDRESS, c    stop at a linear address (see nm build/glasshouse.elf), continue
  vmexitbp           stop at each VM exit          show "cpu0.VMX"   the VMCS
  page 0xADDRESS     page walk, through EPT too    info symbols "x"  symbols that begin with x
  s, r, u, x /8gx    step, registers, disassemble, memory    help    all commands    q    quit
""", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the debugger handles Ctrl-C: it stops the machine
    return subprocess.run(bochs.command("-rc", "script"), cwd=FOLDER,
                          stderr=(FOLDER / "stderr.log").open("wb"), check=False).returncode


def interrupted(*_):
    """Makes SIGTERM and SIGHUP act like Ctrl-C: Bochs is ended and the terminal restored."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, interrupted)
    try:
        sys.exit(debug() if "--debugger" in sys.argv else
                 run(bochs.OVMF if "--uefi" in sys.argv else bochs.BIOS))
    except (KeyboardInterrupt, OSError) as end:
        if isinstance(end, OSError) and end.errno not in (errno.EPIPE, errno.EIO):
            raise
        # Nobody reads stdout any more: make Python's flush at exit succeed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(130)
