#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make handout: build/handout/, build/handout.tar.gz: this tree for students, without what they are to write.

Usage: handout.py [FOLDER [iso]]. FOLDER, in the tree, instead of build/handout; iso: also FOLDER.iso, with all labs as they are
handed out.

The handout has each file that is a hole of a lab in the form that students get. What the tree has in its place comes
compiled, in the folder shipped/: a lab's image is linked from the student's files for this lab, and from shipped/ for
everything else. Included files are cut for that: see pieces.py.
"""
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from lab import version
from labs import ROOT, all_labs
from pieces import outline

OUT = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build/handout")
NAME = "glasshouse-labs"  # the folder in the archive
# It has solutions.
LEFT_OUT = "tests/"


def holes():
    """{place in the tree: the hole file} of all labs."""
    found = {}
    for lab in all_labs():
        for path in sorted((lab.folder / "holes").rglob("*.*")):
            place = str(path.relative_to(lab.folder / "holes"))
            if place in found:
                sys.exit(f"{path.relative_to(ROOT)}: {place} is a hole of another lab, too: cut it")
            found[place] = path
    return found


def is_included(place):
    """Is this a file that others include?"""
    return place.endswith((".h", ".inc"))


def make(folder, *arguments):
    """Calls make, with its messages on the terminal; exits if it fails."""
    command = ["make", "--no-print-directory", "-C", str(folder), *arguments]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        sys.exit(f"make handout: {' '.join(command)} failed, see above")


def write(path, text):
    """Writes a file, in a folder that may not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def objects(cut):
    """Compiles what includes a hole file, against its outline. Returns {name: object} of all objects of the hypervisor."""
    for place in filter(is_included, cut):
        write(OUT / "outline" / place, outline((ROOT / place).read_text()))
    out = OUT.relative_to(ROOT)
    make(ROOT, f"HOLES={out}/outline", f"LAB_OUT={out}/compiled", f"{out}/compiled/objects")
    names = (OUT / "compiled/objects").read_text().split()
    return {name.partition("/obj/")[2]: ROOT / name for name in names}


def copy_tree(tree, cut):
    """Copies what git knows, but LEFT_OUT; hole files, or their outlines, take the place of solutions."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        target = tree / name
        if name.startswith(LEFT_OUT) or not (ROOT / name).is_file():
            continue
        if name in cut:
            text = cut[name].read_text()
            write(target, outline(text) if is_included(name) else text)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)


def ship(tree, compiled):
    """Puts the objects into the tree, without what is for debuggers."""
    for name, path in {**{f"obj/{name}": path for name, path in compiled.items()}, "door.o": ROOT / "build/door.o"}.items():
        target = tree / "shipped" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["objcopy", "--strip-debug", path, target], check=True)


def lend_guests(tree):
    """Copies Debian's kernel and the initrd of lab 9, which students fetch and make themselves, for the ISO only."""
    for name in "vmlinuz", "lab-09-inspector.img":
        target = tree / "build/guest" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "build/guest" / name, target)


def main():
    """Makes the handout, and the ISO."""
    shutil.rmtree(OUT, ignore_errors=True)
    cut, tree = holes(), OUT / NAME
    copy_tree(tree, cut)
    ship(tree, objects(cut))
    write(tree / "VERSION", version() + "\n")
    archive = Path(f"{OUT}.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, NAME)
    print(f"{tree.relative_to(ROOT)}/ and {archive.relative_to(ROOT)}: for students, without solutions.")
    if sys.argv[2:] == ["iso"]:
        lend_guests(tree)
        make(tree, "labs-iso")
        iso = shutil.copy(tree / "build/labs.iso", f"{OUT}.iso")
        print(f"{Path(iso).relative_to(ROOT)}: the labs as they are handed out, for a PC or an emulator.")


if __name__ == "__main__":
    main()
