# SPDX-License-Identifier: MIT
"""`make run`, typed at through a terminal."""
import os
import pty
import select
import subprocess
import sys
import time

import harness
import mkiso


class Terminal:
    """A program on a terminal of its own, and somebody who types."""

    def __init__(self, arguments, environment):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True)
        os.close(slave)
        self.text = ""

    def expect(self, words, seconds):
        """Waits for the words; what came up to them is forgotten."""
        end = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < end, f"no {words!r} in time; last: {self.text[-500:]}"
            if select.select([self.master], [], [], 5)[0]:
                try:
                    self.text += os.read(self.master, 4096).decode("latin-1")
                except OSError:
                    raise AssertionError(f"ended without {words!r}: {self.text[-500:]}") from None
        before, _, self.text = self.text.partition(words)
        return before

    def type(self, text):
        """Types, as a person does."""
        os.write(self.master, text.encode())


def test_run():
    """A shell on this terminal: nproc says 2, poweroff ends it with status 0."""
    environment = dict(os.environ, CPUS="2", OPTS="", APPEND="", GUEST_KERNEL="", GUEST_INITRD="")
    terminal = Terminal([sys.executable, mkiso.ROOT / "tools/run.py"], environment)
    try:
        terminal.expect("Glasshouse", harness.SECONDS)
        terminal.expect("2 CPUs, under Glasshouse.", harness.SECONDS)
        terminal.expect("/ # ", harness.SECONDS)
        terminal.type("nproc\r")
        assert terminal.expect("/ # ", harness.SECONDS).split()[-1] == "2"
        terminal.type("\x01h")
        terminal.expect("switch the machine off", harness.SECONDS)
        terminal.type("poweroff\r")
        terminal.expect("powered off", harness.SECONDS)
        assert terminal.process.wait(60) == 0
    finally:
        terminal.process.terminate()
        terminal.process.wait()
        os.close(terminal.master)
