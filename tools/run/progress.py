# SPDX-License-Identifier: MIT
"""A progress line on the terminal while the machine's serial line is silent.

A boot in an emulator is silent twice: the BIOS and GRUB write to the screen only, and Linux with `quiet`
prints nothing before userland. The line shows the stage of the boot, taken from the logs. It is erased
before the machine's next output, and switched off when the user types at a prompt.
"""
import os
import re
import shutil
import sys
import time

ENTERED = b"Entering the guest."
ALL_RUN = re.compile(rb"^All \d+ CPUs run", re.M)
RESET = re.compile(rb"reboot: Restarting system\r*\n")


def has_escapes():
    """Is stdout a terminal that can erase a line?"""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Progress:
    """The progress line of a machine whose logs (bochs.log, glasshouse.log) are in `folder`.

    `total`: the approximate number of million instructions until its shell; 0: unknown.
    """

    def __init__(self, folder, total=0):
        self.folder = folder
        self.restart(total)

    def restart(self, total=0):
        """The machine boots, perhaps again: ignore what its logs already contain."""
        self.total = total
        self.enabled = has_escapes()
        self.began = time.monotonic()
        log = self.folder / "glasshouse.log"
        self.start = log.stat().st_size if log.exists() else 0
        self.text = b""
        self.entered = self.drawn = False

    def output(self, data):
        """The machine has sent `data`. The caller has erased the line before it showed them."""
        self.text = (self.text + data)[-200:]
        self.entered = self.entered or ENTERED in self.text
        if RESET.search(self.text):
            self.restart()

    def typed(self):
        """The user has typed. At a prompt (an unfinished line) this ends the progress line: the guest is up."""
        if self.entered and not self.text.endswith(b"\n"):
            self.enabled = False

    def idle(self):
        """The machine has been silent for a second: update the line."""
        if self.enabled and (self.text.endswith(b"\n") or not self.text):
            line = f"[{time.monotonic() - self.began:.0f} s] {self.stage()}"
            self._write("\r" + line[:shutil.get_terminal_size().columns - 1] + "\x1b[K")
            self.drawn = True

    def erase(self):
        """Erases the progress line."""
        if self.drawn:
            self._write("\r\x1b[K")
            self.drawn = False

    def stage(self):
        """The stage of the boot, as text."""
        if not self.text:
            return "the BIOS and GRUB load Glasshouse and its guest"
        if not self.entered:
            return "Glasshouse prepares the machine"
        words = "the guest boots"
        if ALL_RUN.search(self._log("glasshouse.log", self.start)):
            words += ", all its CPUs run"
        # Each line of Bochs' log begins with the count of instructions.
        last = re.findall(rb"^(\d{11})\w", self._log("bochs.log"), re.M)
        if last:
            done = int(last[-1]) // 1000000
            about = f" of about {self.total}" if done < self.total else ""
            words += f": {done}{about} million instructions"
        return words

    def _log(self, name, start=0):
        """The last 64 KiB of a log, from `start` on."""
        path = self.folder / name
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - 65536))
            return file.read()

    @staticmethod
    def _write(text):
        sys.stdout.write(text)
        sys.stdout.flush()
