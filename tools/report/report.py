#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes files that people and viewers read from the exits that `glasshouse-stat -t FILE` has written.

Usage: report.py FILE FOLDER [--symbols SYSTEM_MAP] [--title TEXT] [--label TEXT]
FOLDER gets report.html, trace.pftrace (ui.perfetto.dev), trace.txt (KVM's trace points), and stacks.txt
(collapsed stacks, for flamegraph.pl or speedscope.app).
"""
import argparse
import sys
from pathlib import Path

import page
import perfetto
import recorded
import texts
from symbols import Symbols


def make(data, folder, symbols=Symbols(), title="Exits", label=""):
    """Writes the files from the bytes of a file of recorded exits. Returns the recorded.Trace."""
    trace = recorded.parse(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trace.txt").write_text(texts.tracepoints(trace))
    (folder / "stacks.txt").write_text(texts.stacks(trace, symbols))
    (folder / "trace.pftrace").write_bytes(perfetto.trace_bytes(trace, symbols))
    (folder / "report.html").write_text(page.page(trace, symbols, title, label))
    return trace


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--symbols", type=Path, help="names of the guest's code, as System.map and `nm -n` have them")
    parser.add_argument("--title", default="Exits")
    parser.add_argument("--label", default="")
    options = parser.parse_args()
    symbols = Symbols(options.symbols.read_text()) if options.symbols else Symbols()
    try:
        trace = make(options.file.read_bytes(), options.folder, symbols, options.title, options.label)
    except (OSError, recorded.Damaged) as why:
        sys.exit(f"report.py: {options.file}: {why}")
    print(f"{len(trace.exits)} exits of {len(trace.vcpus)} vCPUs: {options.folder}/report.html, trace.pftrace, "
          "trace.txt, stacks.txt")


if __name__ == "__main__":
    main()
