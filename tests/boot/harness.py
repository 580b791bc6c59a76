# SPDX-License-Identifier: MIT
"""A boot in Bochs or QEMU as a test sees it: started, talked to, ended, judged.

A verdict comes from a complete TAP plan on the serial line, or from words that the test names.
"""
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import bochs
import mkiso
import words

# Where runs have their folders: pytest's own, which conftest.py makes; who runs beside it has another.
FOLDER = Path(os.environ.get("BOOT_FOLDER") or mkiso.BUILD / "by-hand")

# Limits far above what is needed: emulated instructions, and seconds on a busy host.
TICKS = 3_000_000_000
SECONDS = 900

# Every run of the test that is under way; the report of a failing test shows their logs.
runs = []


class Run:
    """One machine under way. Its serial line grows in `text`. `monitor`: QEMU's, a socket."""

    def __init__(self, folder, process, serial, seconds, resets=0, monitor=None):
        self.folder, self.process, self.serial, self.monitor = folder, process, serial, monitor
        self.stops = 2 * resets + 2
        self.deadline = time.monotonic() + seconds
        self.text = ""
        self.seen = 0
        runs.append(self)

    def _more(self):
        """Waits for more text, a while. False when the machine has ended; too long is a failure."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.stop()
            raise AssertionError(f"{self.folder.name}: no end within the time on this host")
        with selectors.DefaultSelector() as selector:
            selector.register(self.serial, selectors.EVENT_READ)
            if not selector.select(min(left, 5)):
                return True
        try:
            data = self.serial.recv(65536)
        except ConnectionError:
            data = b""
        self.text += data.decode("latin-1").replace("\r", "")
        return bool(data)

    def expect(self, pattern):
        """Waits until `pattern` comes on the serial line, behind what was expected before."""
        while True:
            match = re.compile(pattern).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            if not self._more():
                raise AssertionError(f"the machine ended ({self.ending()}) without {pattern!r}")

    def send(self, text):
        """Types on the serial line."""
        self.serial.sendall(text.encode())

    def wait(self):
        """Waits for the machine's end; returns how it ended."""
        while self._more():
            pass
        self.process.wait(60)
        return self.ending()

    def stop(self):
        """Switches the machine off."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.serial.close()
        if self.monitor:
            self.monitor.close()

    def ending(self):
        """How it ended: power-off, finished (port 0x8900), ticks, reset, triple fault, or why."""
        self.process.wait(60)
        said = self.log("stderr.log")
        for name, sign in (("power-off", "soft power off"), ("triple fault", "3rd (")):
            if sign in said:
                return name
        if self.process.returncode:
            return said.partition("following message:")[2].strip(" =\n") or said[-200:]
        stops = re.findall("Caught (time breakpoint|write watch point)", self.log("glasshouse.log"))
        if stops[-1:] == ["time breakpoint"]:
            return "ticks"
        return "reset" if len(stops) > self.stops else "finished"

    def log(self, name):
        """A whole log of this run: glasshouse.log (port E9), com2.log, bochs.log, stderr.log."""
        path = self.folder / name
        return path.read_bytes().decode("latin-1").replace("\r", "") if path.exists() else ""

    def logs(self):
        """The ends of all logs, for the report of a failure."""
        parts = [("serial line", "\n".join(self.text.splitlines()[-60:]))]
        parts += [(name, bochs.tail(self.folder / name, 25))
                  for name in ("glasshouse.log", "stderr.log")]
        return [(f"{self.folder.name}: {name}", text) for name, text in parts if text.strip()]

    def screen(self):
        """The words on the VGA text screen of a machine that has halted for good, and its end.

        In Bochs it was started with bochs.SCREEN. The logs are complete then.
        """
        if self.monitor:
            self.expect(words.STOPPED)
            time.sleep(1)  # for the end of the line, on all consoles
            self.monitor.sendall(b"xp /2000hx 0xb8000\nquit\n")
            return screen_text(b"".join(iter(lambda: self.monitor.recv(65536), b"")).decode("latin-1"))
        while "HLT instruction with IF=0" not in self.log("bochs.log"):
            assert self.process.poll() is None and time.monotonic() < self.deadline, "it has not halted"
            time.sleep(0.1)
        self.process.send_signal(signal.SIGINT)
        self.wait()
        return screen_text(self.log("glasshouse.log"))

    def results(self):
        """The verdict: all of a complete TAP plan passed. Returns the tests' names."""
        return tap(self.text)


def screen_text(dump):
    """The words of a text screen, with single spaces between, from its last 2000 cells in hexadecimal."""
    cells = re.findall(r"\b0x([0-9a-f]{4})\b", dump)[-2000:]
    assert len(cells) == 2000, "no text screen has been printed"
    return " ".join("".join(chr(int(cell, 16) & 0xff) for cell in cells).split())


def tap(text):
    """The names of the tests of a TAP stream; AssertionError unless all of a whole plan passed."""
    plans = re.findall(r"^1\.\.(\d+)$", text, re.M)
    assert len(plans) == 1, f"{len(plans)} TAP plans on the serial line, there must be one"
    bail = re.search(r"^Bail out!.*", text, re.M)
    assert not bail, bail.group()
    lines = re.findall(r"^(not )?ok (\d+)(?: - (.*))?$", text, re.M)
    numbers = [int(number) for _, number, _ in lines]
    assert numbers == list(range(1, int(plans[0]) + 1)), f"TAP plan 1..{plans[0]}, got {numbers}"
    failed = [f"{number} - {name}" for bad, number, name in lines if bad]
    assert not failed, "failed in the guest: " + "; ".join(failed)
    return [name for _, _, name in lines]


def boot(name, spec, model="corei7_skylake_x", cpus=1, memory=512, ticks=TICKS, resets=0,
         ignore_bad_msrs=True, commands=None, second=None, bios=bochs.BIOS):
    """Boots `spec` in Bochs; `name` is the folder's under build/boot. Returns a Run.

    `spec` is what mkiso makes an ISO of, or an image that is there; `second` is another drive's.

    A reset beyond `resets` ends the machine; with any, there is no limit of ticks.
    """
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    iso = spec if isinstance(spec, Path) else mkiso.make_iso(folder / "boot.iso", spec)
    machine = bochs.Machine(iso, model, cpus, memory, ignore_bad_msrs, second, bios)
    commands = commands or bochs.script(0 if resets else ticks, resets)
    process, serial = bochs.start(machine, folder, commands)
    return Run(folder, process, serial, SECONDS, resets)


def boot_qemu(name, spec, cpu="qemu64", memory=512, seconds=120):
    """Boots `spec` in QEMU without KVM. Returns a Run."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    iso = mkiso.make_iso(folder / "boot.iso", spec)
    serial, serial_end = socket.socketpair()
    monitor, monitor_end = socket.socketpair()
    with serial_end, monitor_end, (folder / "stderr.log").open("wb") as errors:
        process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-m", str(memory),
             "-display", "none", "-no-reboot", "-net", "none",
             "-chardev", f"socket,id=s,fd={serial_end.fileno()}", "-serial", "chardev:s",
             "-chardev", f"socket,id=m,fd={monitor_end.fileno()}", "-mon", "chardev=m",
             "-serial", "file:" + str(folder / "com2.log"),
             "-debugcon", "file:" + str(folder / "glasshouse.log"),
             "-drive", f"file={iso},format=raw,snapshot=on"],
            stdin=subprocess.DEVNULL, stderr=errors,
            pass_fds=[serial_end.fileno(), monitor_end.fileno()], start_new_session=True)
    return Run(folder, process, serial, seconds, monitor=monitor)


def linux(test, opts="", append="", **extra):
    """Debian's Linux under Glasshouse, to run guests/initramfs/tests/`test`.sh."""
    return mkiso.glasshouse(opts, cmdline=_cmdline(test, append), **extra)


def native_linux(test, append="", kernel=mkiso.KERNEL):
    """The same without Glasshouse."""
    return mkiso.native(kernel, _cmdline(test, append))


def _cmdline(test, append):
    # A panic ends the machine at once, by a reset.
    return (f"console=ttyS0,115200 quiet panic=-1 oops=panic {bochs.LINUX_QUICK} "
            f"gh.test={test} {append}").rstrip()
