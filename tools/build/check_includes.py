#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who includes whom: holds the hypervisor's folders to the table below. `make lint` calls it.

As a program: check_includes.py [ROOT] names each include that breaks a rule, and what to do; status 1.
"""
import re
import sys
from dataclasses import dataclass
from pathlib import Path

# From the top down. A folder includes its own headers and those of the rows below its own. A sub-folder
# is a folder of its own, so each has its place here.
TABLE = (
    ("boot/efi",),
    ("boot",),
    ("monitor",),
    ("report",),
    ("vmm/load", "vmm/vm0", "vmm/dev"),
    ("vmm/vmx", "vmm/svm"),
    ("vmm/x86",),
    ("vmm",),
    ("ept",),
    ("drivers",),
    ("arch/x86",),
    ("lib",),
    ("include",),
)
# Within a row nobody includes anybody, but for these: (who, whom).
SIDEWAYS = {("vmm/load", "vmm/vm0")}  # the loaders use VM 0's BIOS services

# VT-x has these files. Other files include none of their headers and execute none of its instructions.
VMX = re.compile(r"vmm/vmx/|arch/x86/vmx|report/(?:entry_check|entry_rules|provoke)\.")
VMX_HEADER = re.compile(r"vmm/vmx/|arch/x86/vmx")
# Here the boot chooses the vendor's table of operations: (who, whom).
CHOICE = {("boot/main.c", "vmm/vmx/vmx_ops.h")}
VMX_INSTRUCTION = re.compile(r"\bvm(?:read|write|clear|ptrld|xon|xoff)(?:_\w+)?\(")

ROOT = Path(__file__).resolve().parents[2]
ROW = {folder: number for number, row in enumerate(TABLE) for folder in row}
TOP = sorted({folder.split("/")[0] for folder in ROW})
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
# Literals, which may have what looks like a comment in them; and comments.
TOKENS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


@dataclass(frozen=True)
class Include:
    """A line that includes a file; `path` is the file's, from the root, or None when there is none."""

    by: str
    line: int
    name: str
    path: str | None

    def __str__(self):
        return f'{self.by}:{self.line}: #include "{self.name}"'


def sources(root=ROOT):
    """The hypervisor's files of C and assembly, headers and tables, as paths from the root."""
    return [str(path.relative_to(root)) for top in TOP for path in sorted((root / top).rglob("*"))
            if path.suffix in (".c", ".S", ".h", ".def") and not path.name.startswith(".")]


def code(path, root=ROOT):
    """A file's lines without its comments: as many lines as the file has."""
    def without(match):
        return "\n" * match[0].count("\n") if match[0].startswith("/") else match[0]

    return TOKENS.sub(without, (root / path).read_text()).splitlines()


def includes(by, root=ROOT):
    """What the file `by` includes in quotes, but for what is generated (build/)."""
    for number, line in enumerate(code(by, root), 1):
        match = INCLUDE.match(line)
        if match and not match[1].startswith("build/"):
            paths = [path for path in (match[1], f"include/{match[1]}", f"include/release/{match[1]}") if (root / path).is_file()]
            yield Include(by, number, match[1], paths[0] if paths else None)


def folder(path):
    """The folder that a file is in. The two variants of a build are parts of include/."""
    own = path.rpartition("/")[0]
    return "include" if own in ("include/release", "include/debug") else own


def part(path):
    """A file and its own header (and assembly) are one: the path without its ending. A table is by itself."""
    return path if path.endswith(".def") else path.rpartition(".")[0]


def advice(own, used):
    """The rule that keeps folder `own` from including one of `used`, and what to do instead."""
    if own == "vmm" and used.startswith("vmm/"):
        return ("vmm/ names no sub-folder of its own. Call through a table of operations (struct virt_ops, "
                f"struct vm_ops) or a pointer that {used}/ sets, or move the function into {used}/")
    if ROW[own] == ROW["vmm/vmx"] and used.startswith("vmm/"):
        return (f"{own}/ knows the CPU only, neither other CPUs' folders nor kinds of VM. Call through "
                "struct vm_ops, or move what both need down into vmm/x86/ or vmm/")
    if ROW[own] == ROW[used]:
        return (f"{own}/ and {used}/ stand side by side. Move what both need into a folder below them, or have "
                "one set a pointer that such a folder declares")
    return (f"{used}/ stands above {own}/. Move what is needed down into {own}/ or below, or declare a pointer "
            f"in {own}/ that {used}/ sets")


def wrong_layer(this):
    """What is wrong with one include, by the table; or None."""
    if not this.path:
        return f"{this}: no such file. Write the path from the root, or the name of a header in include/."
    own, used = folder(this.by), folder(this.path)
    for name in (own, used):
        if name not in ROW:
            return (f"{this}: {name}/ is not in the table of tools/build/check_includes.py. Move the file into "
                    "a folder that is, or give this one its row.")
    if own == used or ROW[used] > ROW[own] or (own, used) in SIDEWAYS:
        return None
    return f"{this}: {advice(own, used)}."


def wrong_vmx(by, used, root):
    """VT-x where it does not belong: its headers, its instructions."""
    if VMX.match(by):
        return
    for this in used:
        if this.path and VMX_HEADER.match(this.path) and (by, this.path) not in CHOICE:
            yield (f"{this}: only vmm/vmx/, arch/x86/vmx* and the report's own files know VT-x. Call through "
                   "struct virt_ops (vmm/virt_ops.h).")
    for number, line in enumerate(code(by, root), 1):
        match = VMX_INSTRUCTION.search(line)
        if match:
            yield (f"{by}:{number}: {match[0]}): only vmm/vmx/ executes VT-x's instructions. Add an operation to "
                   "struct virt_ops (vmm/virt_ops.h).")


def way_back(edges, start):
    """The shortest way along `edges` from `start` to itself, as a list of includes; or None."""
    ways, seen = [[]], set()
    for way in ways:
        for to, this in edges.get(way[-1][0] if way else start, {}).items():
            if to == start:
                return [this for _, this in way] + [this]
            if to not in seen:
                seen.add(to)
                ways.append(way + [(to, this)])
    return None


def circles(used, node, what):
    """Circles that the includes `used` make of nodes (`node` of a path), each in words."""
    edges, told = {}, set()
    for this in used:
        if this.path and node(this.by) != node(this.path):
            edges.setdefault(node(this.by), {}).setdefault(node(this.path), this)
    for start in sorted(edges):
        way = way_back(edges, start) if start not in told else None
        if way:
            told |= {node(this.by) for this in way}
            yield (f"{way[0].by}:{way[0].line}: a circle of {what}: " + ", ".join(
                f"{node(this.by)} includes {node(this.path)} ({this.by}:{this.line})" for this in way) +
                   ". Take one of these includes out: move what both need into a file of its own below them, "
                   "or pass a pointer.")


def check(root=ROOT):
    """All that is wrong, in words."""
    files = {path: list(includes(path, root)) for path in sources(root)}
    used = [this for found in files.values() for this in found]
    wrong = [words for words in map(wrong_layer, used) if words]
    for path, found in files.items():
        wrong += wrong_vmx(path, found, root)
    return wrong + list(circles(used, folder, "folders")) + list(circles(used, part, "files"))


def main():
    """Prints what is wrong. Returns the exit status."""
    wrong = check(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    print("".join(f"{words}\n" for words in wrong), end="")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
