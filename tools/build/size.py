#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much code there is, and how much of it one has to read: `make size` prints it.

Lines of code: no blank ones, no comments.
"""
import sys
from collections import Counter
from dataclasses import dataclass, field

import check_includes
from check_includes import ROOT

READING = "tools/build/reading.txt"
ALLOWED = 10  # percent above what is recorded there


def lines(path, root=ROOT):
    """The lines of code of one file."""
    return sum(bool(line.strip()) for line in check_includes.code(path, root))


def rooms(root=ROOT):
    """{folder: lines}; a sub-folder is a room of its own."""
    sizes = Counter()
    for path in check_includes.sources(root):
        sizes[check_includes.folder(path)] += lines(path, root)
    return sizes


@dataclass
class Reading:
    """One list of READING: its files, and the total that was recorded."""

    name: str
    recorded: int
    files: list = field(default_factory=list)

    def all(self, root=ROOT):
        """{path: lines} of the files that exist, and of the headers and tables that they include, and so on."""
        found = [path for path in self.files if (root / path).is_file()]
        for path in found:
            found += sorted({this.path for this in check_includes.includes(path, root)
                             if this.path and this.path not in found})
        return {path: lines(path, root) for path in found}

    def wrong(self, root=ROOT):
        """What is wrong with the list, in words; or None."""
        missing = [path for path in self.files if not (root / path).is_file()]
        total = sum(self.all(root).values())
        if missing:
            return (f"{READING}: {self.name} names {', '.join(missing)}, which does not exist. Name the file "
                    "that has the code now, or take the line out.")
        if total * 100 > self.recorded * (100 + ALLOWED):
            return (f"What one {self.name} reads has grown to {total} lines, more than {ALLOWED} % above the "
                    f"{self.recorded} in {READING}. Take out what it need not include; or, if it is worth that "
                    f"much reading, write '{self.name} {total}' there.")
        return None


def readings(root=ROOT):
    """The lists of READING."""
    lists = []
    for line in (root / READING).read_text().splitlines():
        words = line.split("#")[0].split()
        if len(words) == 2:
            lists.append(Reading(words[0], int(words[1])))
        elif words:
            lists[-1].files.append(words[0])
    return lists


def main():
    """Prints the tables. Returns the exit status."""
    sizes = rooms()
    for folder in sorted(sizes):
        print(f"{sizes[folder]:7,}  {folder}")
    print(f"{sizes.total():7,}  in all")
    for reading in readings():
        found = reading.all()
        print(f"\nWhat one {reading.name} reads (recorded: {reading.recorded:,}):")
        for path, count in found.items():
            print(f"{count:7,}  {path}")
        print(f"{sum(found.values()):7,}  in {len(found)} files")
    wrong = [words for words in (reading.wrong() for reading in readings()) if words]
    print("".join(f"\n{words}\n" for words in wrong), end="")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
