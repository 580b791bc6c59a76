# SPDX-License-Identifier: MIT
"""The monitor on COM2, for the tests: a machine that has it, and somebody who types."""
import re
import socket

import harness
import mkiso

PROMPT = "(glasshouse) "

# The names of all commands, in the order of `help`.
COMMANDS = re.findall(r"^COMMAND\((\w+),", (mkiso.ROOT / "monitor/commands.def").read_text(), re.M)


class Monitor:
    """The monitor's serial line, with somebody who types. `text`: what has come and has not been taken yet."""

    def __init__(self, server):
        server.settimeout(60)
        self.line = server.accept()[0]
        self.line.settimeout(harness.SECONDS)
        self.text = ""

    def until(self, text):
        """Waits for `text`. Returns what came before it, and drops both."""
        while text not in self.text:
            try:
                data = self.line.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise EOFError(f"the line ended without {text!r}; last: {self.text[-500:]!r}")
            self.text += data.decode("latin-1").replace("\r", "")
        before, _, self.text = self.text.partition(text)
        return before

    def type(self, keys):
        """Sends `keys` as fast as a person who types well: not more at a time than a UART keeps."""
        for at in range(0, len(keys), 15):
            self.line.sendall(keys[at:at + 15].encode())
            if keys[at:at + 15].isprintable():
                self.until(keys[at:at + 15])

    def ask(self, command):
        """The answer to a command: the lines, without the last one, which must be ok."""
        lines = self.answer(command)
        assert lines[-1] == "ok", lines
        return lines[:-1]

    def answer(self, command):
        """The whole answer to a command."""
        self.type(command)
        self.line.sendall(b"\r")
        return self.until(PROMPT).strip("\n").split("\n")


def boot(name, test, cpus=2, **machine):
    """Boots `test` with a server for COM2. Returns the Run and the Monitor."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = harness.boot(name, test, cpus=cpus, com2=server, **machine)
        return run, Monitor(server)


def ask_random_guest(name, arguments, commands, rounds, exits=0):
    """Asks all `commands`, `rounds` times or until there have been so many exits, while the random guest runs; then lets
    it end, which it must do well.

    Returns its log, and the pairs of a command and its whole answer.
    """
    spec = mkiso.glasshouse("monitor=com2 console=e9 icr=trap", mkiso.BUILD / "guest/monkey.img", f"{arguments} stop=1", None)
    run, line = boot(name, spec, memory=256, ticks=30_000_000_000 + 20_000 * exits, ignore_bad_msrs=False)
    line.until(PROMPT)
    stop = run.expect(r"# stop at ([0-9a-f]+)\n")[1]
    answers = []
    while rounds > 0 or sum(map(int, re.findall(r", (\d+) exits", "\n".join(line.ask("ls"))))) < exits:
        answers += [(command, line.answer(command)) for command in commands]
        rounds -= 1
    line.ask(f"w -p {stop} 01")
    assert run.wait() == "power-off"
    assert run.results()
    log = run.log("glasshouse.log")
    assert "defect of Glasshouse" not in log
    assert "Glasshouse's code and constants are unchanged" in log
    return log, answers


def number(pattern, lines):
    """The hexadecimal number that `pattern` finds in the lines."""
    match = re.search(pattern, "\n".join(lines))
    assert match, (pattern, lines)
    return int(match[1], 16)
