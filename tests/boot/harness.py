# SPDX-License-Identifier: MIT
"""Boots a machine in Bochs or QEMU for a test, talks to it, and judges the result.

A test passes by a complete TAP plan on the serial line, or by text that the test waits for.
"""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import bochs
import mkiso
import screen
import words

# The folder of all runs: conftest.py makes one for each pytest run; other programs use by-hand.
FOLDER = Path(os.environ.get("BOOT_FOLDER") or mkiso.BUILD / "by-hand")

# Limits far above the need: emulated instructions, and seconds on a busy host.
TICKS = 3_000_000_000
SECONDS = 900

# All runs of the current test; the report of a failure shows their logs.
runs = []


class Run:
    """A running machine. `text`: the serial output so far. `monitor`: a socket to QEMU's monitor, or None."""

    def __init__(self, folder, process, serial, seconds, stops=0, monitor=None):
        self.folder, self.process, self.serial, self.monitor = folder, process, serial, monitor
        self.stops = stops  # of Bochs' debugger, for the start and the resets that are allowed
        self.deadline = time.monotonic() + seconds
        self.text = ""
        self.seen = 0
        self.mappings = None
        runs.append(self)

    def more(self):
        """Waits up to 5 s for more text. Returns False if the machine has ended. Fails after the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.stop()
            raise AssertionError(f"{self.folder.name}: no end within the time on this host")
        if not select.select([self.serial], [], [], min(left, 5))[0]:
            return True
        try:
            data = self.serial.recv(65536)
        except ConnectionError:
            data = b""
        self.text += data.decode("latin-1").replace("\r", "")
        return bool(data)

    def expect(self, pattern):
        """Waits until `pattern` appears on the serial line, after the previous match. Returns the match."""
        while True:
            match = re.compile(pattern).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            if not self.more():
                raise AssertionError(f"the machine ended ({self.ending()}) without {pattern!r}")

    def skip(self):
        """Takes what has been printed until now, so that expect() finds only what comes later."""
        while select.select([self.serial], [], [], 0)[0] and self.more():
            pass
        self.seen = len(self.text)

    def send(self, text):
        """Sends `text` to the serial line."""
        self.serial.sendall(text.encode())

    def wait(self):
        """Waits until the machine ends. Returns ending()."""
        while self.more():
            pass
        self.process.wait(60)
        return self.ending()

    def stop(self):
        """Ends the machine at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.serial.close()
        if self.monitor:
            self.monitor.close()

    def ending(self):
        """How the machine ended: power-off, finished (port 0x8900), ticks, reset, triple fault, or an error."""
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
        """The text of a log: glasshouse.log (port E9), com2.log, bochs.log or stderr.log."""
        path = self.folder / name
        return path.read_bytes().decode("latin-1").replace("\r", "") if path.exists() else ""

    def logs(self):
        """The last lines of all logs, for the report of a failure."""
        parts = [("serial line", "\n".join(self.text.splitlines()[-60:]))]
        parts += [(name, bochs.tail(self.folder / name, 25))
                  for name in ("glasshouse.log", "stderr.log")]
        return [(f"{self.folder.name}: {name}", text) for name, text in parts if text.strip()]

    def screen(self):
        """Waits until the machine has halted for good, ends it, and returns the words on its VGA text screen.

        In Bochs it must have been started with bochs.SCREEN. Afterwards the logs are complete.
        """
        if self.monitor:
            return screen_text(self.last_commands("xp /2000hx 0xb8000"))
        self.halted()
        self.process.send_signal(signal.SIGINT)
        self.wait()
        return screen_text(self.log("glasshouse.log"))

    def halted(self):
        """Waits until the machine, in Bochs, has halted for good."""
        while "HLT instruction with IF=0" not in self.log("bochs.log"):
            assert self.process.poll() is None and time.monotonic() < self.deadline, "it has not halted"
            time.sleep(0.1)

    def last_commands(self, *commands):
        """Waits until Glasshouse has stopped in QEMU, and ends it by commands of the monitor. Returns their output."""
        self.expect(words.STOPPED)
        said = b""
        while b"HLT=1" not in said:  # until the line is complete on all consoles, and the CPU halts
            time.sleep(0.1)
            self.monitor.sendall(b"info registers\n")
            said = self.monitor.recv(65536)
        self.monitor.sendall("\n".join([*commands, "quit", ""]).encode())
        return b"".join(iter(lambda: self.monitor.recv(65536), b"")).decode("latin-1")

    def picture(self):
        """Waits until Glasshouse has stopped in QEMU, ends it, and returns the screen.Picture that it showed.

        `mappings`: what its page tables map then, as QEMU's command "info tlb" prints it.
        """
        path = self.folder / "screen.ppm"
        self.mappings = self.last_commands(f"screendump {path}", "info tlb")
        assert path.exists(), self.mappings
        return screen.read_ppm(path.read_bytes())

    def look(self):
        """The screen.Picture that a machine in QEMU shows now."""
        path = self.folder / "now.ppm"
        path.unlink(missing_ok=True)
        self.monitor.sendall(f"screendump {path}\n".encode())
        while not path.exists():
            time.sleep(0.1)
        time.sleep(1)  # until it is complete
        return screen.read_ppm(path.read_bytes())

    def results(self):
        """Asserts that the serial line has a complete TAP plan and all tests passed. Returns the tests' names."""
        return tap(self.text)


def same(native, ours):
    """The results of a guest under Glasshouse are those without it; AssertionError names all others."""
    assert len(native) == len(ours), f"{len(ours)} results, natively {len(native)}"
    differ = [f"{ours[i]!r}, natively {name!r}" for i, name in enumerate(native) if ours[i] != name]
    assert not differ, "; ".join(differ)


def screen_text(dump):
    """The words of a text screen, separated by single spaces; `dump`: a hexadecimal dump of its cells."""
    cells = re.findall(r"\b0x([0-9a-f]{4})\b", dump)[-2000:]
    assert len(cells) == 2000, "no text screen has been printed"
    return " ".join("".join(chr(int(cell, 16) & 0xff) for cell in cells).split())


def tap(text):
    """The names of the tests of a TAP stream. AssertionError unless the plan is complete and all passed."""
    plans = re.findall(r"^1\.\.(\d+)$", text, re.M)
    assert len(plans) == 1, f"{len(plans)} TAP plans on the serial line, expected one"
    bail = re.search(r"^Bail out!.*", text, re.M)
    assert not bail, bail.group()
    lines = re.findall(r"^(not )?ok (\d+)(?: - (.*))?$", text, re.M)
    numbers = [int(number) for _, number, _ in lines]
    assert numbers == list(range(1, int(plans[0]) + 1)), f"TAP plan 1..{plans[0]}, got {numbers}"
    failed = [f"{number} - {name}" for bad, number, name in lines if bad]
    assert not failed, "failed in the guest: " + "; ".join(failed)
    return [name for _, _, name in lines]


def boot(name, spec, model="corei7_skylake_x", cpus=1, memory=512, ticks=TICKS, resets=0,
         ignore_bad_msrs=True, commands=None, second=None, bios=bochs.BIOS, x_display=None, cmos=None,
         com2=None):
    """Boots `spec` in Bochs; `name` is the name of its folder. Returns a Run.

    `spec`: a mkiso.Boot, or the path of an image; `second`: the path of the second drive's image;
    `cmos`: that of the CMOS RAM's contents.
    `resets`: the number of allowed resets; one more ends the machine. Without resets, `ticks` limits the
    emulated time. `x_display`: the X display that shows the machine's screen; without it, modes of more than
    8 bits per pixel do not work. `com2`: a server, a socket, that gets COM2.
    """
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    iso = spec if isinstance(spec, Path) else mkiso.make_iso(folder / "boot.iso", spec)
    machine = bochs.Machine(iso, model, cpus, memory, ignore_bad_msrs, second, bios,
                            bochs.X11 if x_display else bochs.RFB, cmos)
    commands = commands or bochs.script(0 if resets else ticks, resets, bios)
    process, serial = bochs.start(machine, folder, commands, com2, **({"DISPLAY": x_display} if x_display else {}))
    stops = bochs.STOPS[bios][1] * (resets + 1) if bios in bochs.STOPS else 0
    return Run(folder, process, serial, SECONDS, stops)


def _flash(code, variables):
    """QEMU's options for OVMF of these files. What it writes is lost at the end."""
    files = [f"readonly=on,file=/usr/share/OVMF/{code}", f"snapshot=on,file={variables}"]
    return sum((["-drive", f"if=pflash,unit={n},format=raw,{file}"] for n, file in enumerate(files)),
               ["-machine", "q35,smm=on", "-vga", "std"])


def secure_boot(variables):
    """QEMU's options for OVMF with Secure Boot on, if the file `variables`, its flash memory, says so."""
    return _flash("OVMF_CODE_4M.secboot.fd", variables) + ["-global", "driver=cfi.pflash01,property=secure,value=on"]


# OVMF; and OVMF with Secure Boot on, which starts only what the key is signed with that Debian's package ovmf has
# for tests: SNAKEOIL, its name without its ending; .pem is the certificate, .key the key, whose password is "snakeoil".
UEFI = _flash("OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")
SECURE_BOOT = secure_boot("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd")
SNAKEOIL = Path("/usr/share/ovmf/PkKek-1-snakeoil")


def boot_qemu(name, spec, cpu="qemu64", memory=512, firmware=(), program=None):
    """Boots `spec` in QEMU without KVM; a mkiso.Boot, or the path of an image. Returns a Run.

    `firmware`: QEMU's options for other firmware than SeaBIOS: UEFI, SECURE_BOOT. `program`: `spec` is no image but a
    program of UEFI, which QEMU gives to the firmware with these words, on a machine without a disk.
    """
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    iso = spec if isinstance(spec, Path) else mkiso.make_iso(folder / "boot.iso", spec)
    start = ["-drive", f"file={iso},format=raw,snapshot=on"] if program is None else ["-kernel", iso, "-append", program]
    serial, serial_end = socket.socketpair()
    monitor, monitor_end = socket.socketpair()
    with serial_end, monitor_end, (folder / "stderr.log").open("wb") as errors:
        process = subprocess.Popen(
            ["qemu-system-x86_64", *firmware, "-accel", "tcg", "-cpu", cpu, "-m", str(memory),
             "-display", "none", "-no-reboot", "-net", "none",
             "-chardev", f"socket,id=s,fd={serial_end.fileno()}", "-serial", "chardev:s",
             "-chardev", f"socket,id=m,fd={monitor_end.fileno()}", "-mon", "chardev=m",
             "-serial", "file:" + str(folder / "com2.log"),
             "-debugcon", "file:" + str(folder / "glasshouse.log"), *start],
            stdin=subprocess.DEVNULL, stderr=errors,
            pass_fds=[serial_end.fileno(), monitor_end.fileno()], start_new_session=True)
    return Run(folder, process, serial, SECONDS, monitor=monitor)


def linux(test, opts="", append="", **extra):
    """Debian's Linux under Glasshouse, which runs guests/initramfs/tests/`test`.sh."""
    return mkiso.glasshouse(opts, cmdline=_cmdline(test, append), **extra)


def native_linux(test, append="", **extra):
    """The same without Glasshouse."""
    return mkiso.native(cmdline=_cmdline(test, append), **extra)


def _cmdline(test, append):
    # A panic resets the machine at once.
    return (f"console=ttyS0,115200 quiet panic=-1 oops=panic {bochs.LINUX_QUICK} "
            f"gh.test={test} {append}").rstrip()
