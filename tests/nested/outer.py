# SPDX-License-Identifier: MIT
"""The outer machine: Bochs with Debian's Linux and KVM, in which QEMU runs one inner machine after the other."""
import re
import shlex
import time
from dataclasses import dataclass

import harness
import mkiso
import run_qemu

DISK = mkiso.BUILD / "nested" / "outer.img"
MODEL = "corei7_haswell_4770"
MEMORY = 1024  # MiB, of which an inner machine gets INNER_MEMORY
INNER_MEMORY = 256

QEMU = [*run_qemu.KVM, "-machine", "pc,usb=off,hpet=off,smm=off", "-m", str(INNER_MEMORY), "-nodefaults", "-display", "none",
        "-vga", "none", "-net", "none", "-name", "inner,debug-threads=on"]


@dataclass
class Inner:
    """The output of an inner machine."""

    text: str    # on its serial line
    log: str     # Glasshouse's after "Entering the guest", from port E9
    kernel: str  # the outer kernel's warnings

    def results(self):
        """All of a complete TAP plan passed, and the outer kernel has no warning; the tests' names."""
        assert not self.kernel, self.kernel
        return harness.tap(self.text)


class Outer:
    """A running outer machine, with `iso` as the inner machines' disk."""

    def __init__(self, iso, cpus=1, model=MODEL):
        self.kind = {"cpus": cpus, "model": model}
        self.run = harness.boot(f"outer-{cpus}-{model}", DISK, model, cpus, MEMORY, second=iso,
                                commands="c\nptime\nq\n")
        self.parameters = None
        self.begin = 0
        self._within(harness.SECONDS)
        try:
            self.run.expect("outer: ready\n")
        except AssertionError:
            self.run.stop()
            raise

    def _within(self, seconds):
        self.run.deadline = time.monotonic() + seconds

    def kvm(self, parameters=""):
        """Loads kvm_intel with these parameters, unless they are the ones that it has."""
        if parameters != self.parameters:
            self.run.send(f"kvm {parameters}\n")
            self.parameters = parameters

    def start(self, entry, words="", cpus=1, seconds=harness.SECONDS, reboots=False):
        """Starts an inner machine that boots the menu's `entry` with `words`."""
        arguments = [*QEMU, "-smp", str(cpus), *([] if reboots else ["-no-reboot"])]
        self._within(seconds)
        self.run.send(shlex.join(["choose", entry, words]) + "\n")
        self.run.send(shlex.join(["machine", *arguments]) + "\n")
        self.run.expect("outer: begin\n")
        self.begin = self.run.seen

    def wait(self):
        """Waits for the inner machine's end, or for a kernel's complaint that a CPU hangs."""
        end = self.run.expect(r"outer: end \d+\n|BUG: soft lockup.*")
        assert end.group().startswith("outer"), end.group()
        done = self.run.expect("outer: done\n")
        said = self.run.text[end.end():done.start()]
        log, kernel = ("\n".join(re.findall(rf"^{name}: (.*)$", said, re.M)) for name in ("log", "kernel"))
        return Inner(self.run.text[self.begin:end.start()], log, kernel)

    def stop(self):
        """Ends the inner machine, which has stopped by itself."""
        self.run.send("\n")
        return self.wait()

    def machine(self, *arguments, **options):
        """Runs an inner machine, as start() describes it, until it ends."""
        self.start(*arguments, **options)
        return self.wait()
