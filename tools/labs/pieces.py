#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files that others include, for a handout (handout.py): such a file with functions becomes an outline, which has calls
only, and a piece, which is compiled by itself and has the functions. So who includes it need not be compiled again.

Usage: pieces.py FILE NAME: prints the piece of FILE, whose place in the tree is NAME. .h: the functions are no longer
inline; .inc: the macros become places that the outline jumps to, and that jump back.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

INLINE = re.compile(r"(?ms)^static inline ([^;{}]*?\))\n\{\n.*?^\}\n")
MACRO = re.compile(r"(?ms)^\t\.macro (\w+)\n.*?^\t\.endm\n")


def outline(text):
    """What includes this sees: declarations, jumps."""
    text = INLINE.sub(r"\1;\n", text)
    return MACRO.sub("\t.macro \\1\n\tjmp hole_\\1\n\t.globl hole_\\1_back\nhole_\\1_back:\n\t.endm\n", text)


def context(name):
    """What an assembly file includes beside the file `name`, which may need it."""
    for path in sorted(ROOT.rglob("*.S")):
        text = path.read_text()
        if f'#include "{name}"' in text and "build" not in path.relative_to(ROOT).parts:
            return "".join(line + "\n" for line in re.findall(r'(?m)^#include ".*"$', text) if not line.endswith('.inc"') or
                           line.endswith('steps.inc"'))
    sys.exit(f"{name}: no assembly file includes it")


def piece(text, name):
    """What is compiled by itself."""
    if name.endswith(".h"):
        return f'#line 1 "{name}"\n' + re.sub(r"(?m)^static inline ", "", text)
    jumps = "".join(f"\t.globl hole_{macro}\nhole_{macro}:\n\t{macro}\n\tjmp hole_{macro}_back\n" for macro in MACRO.findall(text))
    return (f'{context(name)}#line 1 "{name}"\n{text}\n\t.text\n{jumps}'
            '\t.section .note.GNU-stack, "", @progbits\n')


if __name__ == "__main__":
    print(piece(Path(sys.argv[1]).read_text(), sys.argv[2]), end="")
