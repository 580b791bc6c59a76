#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many lines of code there are: no blank ones, no comments. `make size` calls it."""
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The top folders with code that runs on the bare machine.
TOP = ["boot", "monitor", "report", "vmm", "ept", "drivers", "arch", "lib", "include"]
TOKENS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


def lines(path):
    """The lines of code of one file."""
    def without(match):
        token = match[0]
        return "\n" * token.count("\n") if token.startswith("/") else token

    return sum(bool(line.strip()) for line in TOKENS.sub(without, path.read_text()).splitlines())


def rooms(root=ROOT):
    """{folder: lines}; a sub-folder is a room of its own."""
    sizes = Counter()
    for top in TOP:
        for path in sorted((root / top).rglob("*.*")):
            if path.suffix in (".c", ".h", ".S", ".def"):
                sizes[str(path.parent.relative_to(root))] += lines(path)
    return sizes


def main():
    """Prints a table."""
    sizes = rooms()
    for folder, count in sizes.items():
        print(f"{count:7,}  {folder}")
    print(f"{sizes.total():7,}  in all")


if __name__ == "__main__":
    main()
