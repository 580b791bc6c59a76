# SPDX-License-Identifier: MIT
"""What a machine is at while its serial line is silent: one line on the terminal, rewritten.

A boot in an emulator is silent twice: the BIOS and GRUB write to the screen only, and a quiet Linux
says nothing before its userland. The line shows what is known from outside. It is gone before the
machine's next words come, and for good once somebody types at a prompt.
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
    """Whether stdout is a terminal that can erase a line."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Progress:
    """The line, for a machine whose logs (bochs.log, glasshouse.log) are in `folder`.

    `total`: about how many million instructions it is to its shell; 0: not known.
    """

    def __init__(self, folder, total=0):
        self.folder = folder
        self.restart(total)

    def restart(self, total=0):
        """The machine boots, again perhaps; what its logs hold so far is of the boot before."""
        self.total = total
        self.wanted = has_escapes()
        self.began = time.monotonic()
        log = self.folder / "glasshouse.log"
        self.start = log.stat().st_size if log.exists() else 0
        self.text = b""
        self.entered = self.drawn = False

    def heard(self, data):
        """The machine says `data`, which the caller writes next."""
        self.erase()
        self.text = (self.text + data)[-200:]
        self.entered = self.entered or ENTERED in self.text
        if RESET.search(self.text):
            self.restart()

    def typed(self):
        """Somebody has typed. At a prompt, an unfinished line, that means that the guest is there."""
        self.erase()
        if self.entered and not self.text.endswith(b"\n"):
            self.wanted = False

    def tick(self):
        """The machine has been silent for a second."""
        if self.wanted and (self.text.endswith(b"\n") or not self.text):
            line = f"[{time.monotonic() - self.began:.0f} s] {self.stage()}"
            self._write("\r" + line[:shutil.get_terminal_size().columns - 1] + "\x1b[K")
            self.drawn = True

    def erase(self):
        """Leaves an empty line, where it began."""
        if self.drawn:
            self._write("\r\x1b[K")
            self.drawn = False

    def stage(self):
        """What the machine is at, in words."""
        if not self.text:
            return "the BIOS and GRUB load Glasshouse and its guest"
        if not self.entered:
            return "Glasshouse prepares the machine"
        words = "the guest boots"
        if ALL_RUN.search(self._log("glasshouse.log", self.start)):
            words += ", on all its CPUs by now"
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
