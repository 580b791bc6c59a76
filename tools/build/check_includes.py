#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the hypervisor's folders include each other only as the table below allows. `make lint` runs it.

Usage: check_includes.py [ROOT]. Prints each include that breaks a rule, and how to fix it; exit status 1 then.
"""
import re
import sys
from dataclasses import dataclass
from pathlib import Path

# The layers, from top to bottom. A folder may include its own headers and those of lower rows. A sub-folder
# counts as a folder of its own.
TABLE = (
    ("boot/efi",),
    ("boot",),
    ("monitor",),
    ("monitor/gdb",),
    ("report",),
    ("vmm/load", "vmm/vm0", "vmm/dev"),
    ("shadow",),
    ("vmm/vmx", "vmm/svm"),
    ("vmm/x86",),
    ("vmm",),
    ("ept",),
    ("drivers",),
    ("arch/x86",),
    ("lib",),
    ("include",),
)
# Folders of one row may not include each other, except (includer, included):
SIDEWAYS = {("vmm/load", "vmm/vm0")}  # the loaders use VM 0's BIOS services

# What an image may be built without: no other folder may include it.
ROOMS = ("monitor", "shadow")


@dataclass(frozen=True)
class Vendor:
    """A vendor's virtualisation: who may use it, its headers, its instructions."""

    name: str
    users: re.Pattern
    headers: re.Pattern
    instructions: re.Pattern


# Other files may not include a vendor's headers or execute its instructions.
VENDORS = (
    Vendor("VT-x", re.compile(r"vmm/vmx/|arch/x86/vmx|report/(?:entry_check|entry_rules|provoke)\."),
           re.compile(r"vmm/vmx/|arch/x86/vmx"), re.compile(r"\bvm(?:read|write|clear|ptrld|xon|xoff)(?:_\w+)?\(")),
    Vendor("SVM", re.compile(r"vmm/svm/|arch/x86/svm"),
           re.compile(r"vmm/svm/|arch/x86/svm"), re.compile(r"\b(?:vmrun|vmsave|vmload|stgi|clgi)(?:_\w+)?\(")),
)
# The boot code selects the vendor's table of operations, and asks early whether a CPU can run it: (includer, included).
VENDOR_CHOICE = {("boot/main.c", "vmm/vmx/vmx_ops.h"), ("boot/main.c", "vmm/svm/svm_ops.h"),
                 ("boot/efi/check_cpu.c", "vmm/vmx/vmxon_refusal.h")}

ROOT = Path(__file__).resolve().parents[2]
ROW = {folder: number for number, row in enumerate(TABLE) for folder in row}
TOP = sorted({folder.split("/")[0] for folder in ROW})
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
# String and character literals, in which comment markers mean nothing; and comments.
TOKENS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


@dataclass(frozen=True)
class Include:
    """An #include line; `path` is the included file, relative to the root, or None if it does not exist."""

    by: str
    line: int
    name: str
    path: str | None

    def __str__(self):
        return f'{self.by}:{self.line}: #include "{self.name}"'


def sources(root=ROOT):
    """The hypervisor's C and assembly files, headers and tables, as paths relative to the root."""
    return [str(path.relative_to(root)) for top in TOP for path in sorted((root / top).rglob("*"))
            if path.suffix in (".c", ".S", ".h", ".def", ".inc") and not path.name.startswith(".")]


def code(path, root=ROOT):
    """A file's lines without comments; line numbers are kept."""
    def without(match):
        return "\n" * match[0].count("\n") if match[0].startswith("/") else match[0]

    return TOKENS.sub(without, (root / path).read_text()).splitlines()


def includes(by, root=ROOT):
    """The quoted includes of the file `by`, except generated files (build/)."""
    for number, line in enumerate(code(by, root), 1):
        match = INCLUDE.match(line)
        if match and not match[1].startswith("build/"):
            paths = [path for path in (match[1], f"include/{match[1]}", f"arch/x86/release/{match[1]}") if (root / path).is_file()]
            yield Include(by, number, match[1], paths[0] if paths else None)


def folder(path):
    """The folder that a file is in. The two variants of a build are parts of arch/x86/."""
    own = path.rpartition("/")[0]
    return "arch/x86" if own in ("arch/x86/release", "arch/x86/debug") else own


def unit(path):
    """The path without its suffix: a file, its header and its assembly are one. A table (.def) is its own unit."""
    return path if path.endswith(".def") else path.rpartition(".")[0]


def advice(own, used):
    """Why folder `own` may not include folder `used`, and how to fix it."""
    if own == "vmm" and used.startswith("vmm/"):
        return ("vmm/ may not include its sub-folders. Call through a table of operations (struct virt_ops, "
                f"struct vm_ops) or a pointer that {used}/ sets, or move the function into {used}/")
    if ROW[own] == ROW["vmm/vmx"] and used.startswith("vmm/"):
        return (f"{own}/ may include neither other CPU vendors' folders nor kinds of VM. Call through "
                "struct vm_ops, or move what both need down into vmm/x86/ or vmm/")
    if ROW[own] == ROW[used]:
        return (f"{own}/ and {used}/ are in the same layer. Move the common part into a lower folder, or declare a "
                "pointer in a lower folder that one of them sets")
    return (f"{used}/ is a higher layer than {own}/. Move the code down into {own}/ or lower, or declare a pointer "
            f"in {own}/ that {used}/ sets")


def layer_violation(this):
    """The message about an include that the table forbids; or None."""
    if not this.path:
        return f"{this}: no such file. Write the path relative to the root, or the name of a header in include/."
    own, used = folder(this.by), folder(this.path)
    for name in (own, used):
        if name not in ROW:
            return (f"{this}: {name}/ is not in the table of tools/build/check_includes.py. Move the file to "
                    "a folder in the table, or add a row for this one.")
    if own != used and used in ROOMS and ROW[used] > ROW[own]:
        return f"{this}: an image may be built without {used}/. Attach it by a row of struct room (vmm/room.h)."
    if own == used or ROW[used] > ROW[own] or (own, used) in SIDEWAYS:
        return None
    return f"{this}: {advice(own, used)}."


def vendor_violations(vendor, by, used, root):
    """Messages about a vendor's headers and instructions in files that may not use them."""
    if vendor.users.match(by) or by.startswith(("vmm/vmx/", "vmm/svm/")):  # these have a rule of their own
        return
    for this in used:
        if this.path and vendor.headers.match(this.path) and (by, this.path) not in VENDOR_CHOICE:
            yield (f"{this}: only {vendor.name}'s own files may include this ({vendor.users.pattern}). Call through "
                   "struct virt_ops (vmm/virt_ops.h).")
    for number, line in enumerate(code(by, root), 1):
        match = vendor.instructions.search(line)
        if match:
            yield (f"{by}:{number}: {match[0]}): only {vendor.name}'s own files may execute this. Add an operation to "
                   "struct virt_ops (vmm/virt_ops.h).")


def shortest_cycle(edges, start):
    """The shortest cycle through `start` along `edges`, as a list of includes; or None."""
    ways, seen = [[]], set()
    for way in ways:
        for to, this in edges.get(way[-1][0] if way else start, {}).items():
            if to == start:
                return [this for _, this in way] + [this]
            if to not in seen:
                seen.add(to)
                ways.append(way + [(to, this)])
    return None


def cycles(used, node, what):
    """Messages about cycles that the includes `used` form between nodes (`node(path)`: files or folders)."""
    edges, told = {}, set()
    for this in used:
        if this.path and node(this.by) != node(this.path):
            edges.setdefault(node(this.by), {}).setdefault(node(this.path), this)
    for start in sorted(edges):
        way = shortest_cycle(edges, start) if start not in told else None
        if way:
            told |= {node(this.by) for this in way}
            yield (f"{way[0].by}:{way[0].line}: an include cycle between {what}: " + ", ".join(
                f"{node(this.by)} includes {node(this.path)} ({this.by}:{this.line})" for this in way) +
                   ". Remove one of these includes: move the common part into a file of a lower layer, "
                   "or pass a pointer.")


def check(root=ROOT):
    """All messages."""
    files = {path: list(includes(path, root)) for path in sources(root)}
    used = [this for found in files.values() for this in found]
    wrong = [words for words in map(layer_violation, used) if words]
    for path, found in files.items():
        for vendor in VENDORS:
            wrong += vendor_violations(vendor, path, found, root)
    return wrong + list(cycles(used, folder, "folders")) + list(cycles(used, unit, "files"))


def main():
    """Prints all messages. Returns the exit status."""
    wrong = check(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    print("".join(f"{words}\n" for words in wrong), end="")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
