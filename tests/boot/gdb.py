# SPDX-License-Identifier: MIT
"""Debian's gdb, for the tests, with somebody who types."""
import re
import signal
import subprocess

import harness

DONE = "-- done --"


class Gdb:
    """A gdb, with somebody who types."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(["gdb", "-q", "-nx", *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in ("set confirm off", "set pagination off", "set width 0", "set remotetimeout 60",
                     "set style enabled off", "set prompt "):
            self.start(line)
        self.result()

    def start(self, command):
        """Types a command. result() waits for its end."""
        self.process.stdin.write(f"{command}\necho \\n{DONE}\\n\n")
        self.process.stdin.flush()
        self.pending = getattr(self, "pending", 0) + 1

    def result(self):
        """The text that the commands since the last result have printed."""
        text = ""
        while self.pending:
            line = self.process.stdout.readline()
            assert line, f"gdb has ended: {text[-1000:]!r}"
            if line.strip() == DONE:
                self.pending -= 1
            else:
                text += line
        return text

    def ask(self, command):
        """What a command prints."""
        self.start(command)
        text = self.result().strip()
        print(f"(gdb) {command}\n{text}")
        return text

    def number(self, expression):
        """The value of an expression."""
        text = self.ask(f"output/x (unsigned long)({expression})")
        match = re.search(r"0x([0-9a-f]+)$", text)
        assert match, (expression, text)
        return int(match[1], 16)

    def interrupt(self):
        """Ctrl-C, while the guest runs. Returns what gdb prints then."""
        self.process.send_signal(signal.SIGINT)
        return self.result()

    def vanish(self):
        """Ends gdb without a word to the guest's machine."""
        self.process.kill()
        self.process.communicate()

    def end(self):
        """Ends gdb, which detaches."""
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait(harness.SECONDS)

