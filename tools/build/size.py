#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many lines of code there are: no blank ones, no comments. `make size` calls it.

Arguments: FILES, of the core; then for each part apart --NAME and its FILES. Headers and tables that
nobody but a part includes are the part's.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOKENS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


def count(path):
    """The lines of code of one file."""
    def without(match):
        token = match[0]
        return "\n" * token.count("\n") if token.startswith("/") else token

    return sum(bool(line.strip())
               for line in TOKENS.sub(without, (ROOT / path).read_text()).splitlines())


def included(paths):
    """The project's own headers and tables that `paths` include, and so on."""
    seen, todo = set(), list(paths)
    while todo:
        here = Path(todo.pop())
        for name in re.findall(r'^#include "([^"]+)"', (ROOT / here).read_text(), re.M):
            for path in (Path(name), Path("include") / name):
                if (ROOT / path).is_file() and path not in seen and path.parts[0] != "build":
                    seen.add(path)
                    todo.append(path)
    return seen


def sizes(parts):
    """{name: lines} of `parts`, {name: [files]} with the core first. Each header counts once."""
    known, result = set(), {}
    for name, paths in parts.items():
        files = {Path(p) for p in paths} | included(paths)
        result[name] = sum(count(f) for f in files - known)
        known |= files
    return result


def main():
    """Prints a table."""
    parts = {"core": []}
    for word in sys.argv[1:]:
        if word.startswith("--"):
            parts[word[2:]] = []
        else:
            parts[list(parts)[-1]].append(word)
    result = sizes(parts)
    for name, lines in result.items():
        print(f"{lines:7,}  {name}")
    print(f"{sum(result.values()):7,}  in all")


if __name__ == "__main__":
    main()
