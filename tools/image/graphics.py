#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a copy of Glasshouse that GRUB starts in a graphics mode on a BIOS machine.

The copy differs in its multiboot 2 header only: there is a framebuffer tag, without which GRUB always sets
text mode, and with which it sets the mode that $gfxpayload names, or one of its own choice.
Usage: graphics.py GLASSHOUSE.elf OUT.elf
"""
import struct
import sys
from pathlib import Path

MAGIC = 0xe85250d6
SEARCH = 32768  # the header lies in so many bytes at the start of the file
TAG_END, TAG_FRAMEBUFFER = 0, 5
OPTIONAL = 1
END = struct.pack("<HHI", TAG_END, 0, 8)
# No preference for a width, a height or a depth; padded to a multiple of 8.
FRAMEBUFFER = struct.pack("<HHIIIII", TAG_FRAMEBUFFER, OPTIONAL, 20, 0, 0, 0, 0)


def header(image):
    """The offsets of the multiboot 2 header and of its end tag; exits if there is none."""
    at = image.find(struct.pack("<I", MAGIC), 0, SEARCH)
    if at < 0:
        sys.exit("graphics: the file has no multiboot 2 header; give build/glasshouse.elf")
    tag = at + 16
    while image[tag:tag + 8] != END:
        kind, _, size = struct.unpack_from("<HHI", image, tag)
        if kind in (TAG_END, TAG_FRAMEBUFFER) or size < 8 or tag > SEARCH:
            sys.exit("graphics: the multiboot 2 header is damaged, or has a framebuffer tag already")
        tag += -(-size // 8) * 8
    return at, tag


def graphics(image):
    """The image `image` with a framebuffer tag, which takes the place of padding after its header."""
    at, tag = header(image)
    old, new = tag + len(END), tag + len(FRAMEBUFFER) + len(END)
    if any(image[old:new]):
        sys.exit("graphics: there is no room after the multiboot 2 header for a framebuffer tag")
    magic, architecture = struct.unpack_from("<II", image, at)
    length = new - at
    head = struct.pack("<IIII", magic, architecture, length, -(magic + architecture + length) & 0xffffffff)
    return image[:at] + head + image[at + 16:tag] + FRAMEBUFFER + END + image[new:]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: graphics.py GLASSHOUSE.elf OUT.elf")
    Path(sys.argv[2]).write_bytes(graphics(Path(sys.argv[1]).read_bytes()))
