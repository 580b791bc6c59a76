#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts lines of code, in total and on the paths that a reader follows: `make size` prints them.

Blank lines and comments do not count.
"""
import sys
from collections import Counter
from dataclasses import dataclass, field

import check_includes
from check_includes import ROOT

READING = "tools/build/reading.txt"
ALLOWED = 10  # percent above the recorded total


def lines(path, root=ROOT):
    """The number of lines of code of one file."""
    return sum(bool(line.strip()) for line in check_includes.code(path, root))


def folder_sizes(root=ROOT):
    """{folder: lines}; a sub-folder counts as a folder of its own."""
    sizes = Counter()
    for path in check_includes.sources(root):
        sizes[check_includes.folder(path)] += lines(path, root)
    return sizes


@dataclass
class Reading:
    """One list of READING: its files, and the recorded total."""

    name: str
    recorded: int
    files: list = field(default_factory=list)

    def all(self, root=ROOT):
        """{path: lines} of the files that exist, and of all headers and tables that they include, directly or not."""
        found = [path for path in self.files if (root / path).is_file()]
        for path in found:
            found += sorted({this.path for this in check_includes.includes(path, root)
                             if this.path and this.path not in found})
        return {path: lines(path, root) for path in found}

    def problem(self, root=ROOT):
        """A message if a file is missing or the total has grown too much; or None."""
        missing = [path for path in self.files if not (root / path).is_file()]
        total = sum(self.all(root).values())
        if missing:
            return (f"{READING}: {self.name} names {', '.join(missing)}, which does not exist. Name the file "
                    "that has the code now, or remove the line.")
        if total * 100 > self.recorded * (100 + ALLOWED):
            return (f"Following one {self.name} has grown to {total} lines, more than {ALLOWED} % above the "
                    f"{self.recorded} in {READING}. Remove includes that are not needed; or, if the growth is "
                    f"justified, write '{self.name} {total}' there.")
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
    sizes = folder_sizes()
    for folder in sorted(sizes):
        print(f"{sizes[folder]:7,}  {folder}")
    print(f"{sizes.total():7,}  in total")
    print(f"{sizes.total() - sum(sizes[room] for room in check_includes.ROOMS):7,}  "
          f"without what an image may be built without: {', '.join(check_includes.ROOMS)}")
    for reading in readings():
        found = reading.all()
        print(f"\nTo follow one {reading.name} (recorded: {reading.recorded:,}):")
        for path, count in found.items():
            print(f"{count:7,}  {path}")
        print(f"{sum(found.values()):7,}  in {len(found)} files")
    problems = [text for text in (reading.problem() for reading in readings()) if text]
    print("".join(f"\n{text}\n" for text in problems), end="")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
