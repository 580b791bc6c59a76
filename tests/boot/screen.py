# SPDX-License-Identifier: MIT
"""Reads the text on a picture of a screen in graphics mode, by the font that Glasshouse is built with.

Pictures come from QEMU's command screendump (harness.Run.picture), from an X server without a screen
(XServer), in which Bochs has its window, or from the bytes of a framebuffer.
"""
import os
import re
import struct
import subprocess
from dataclasses import dataclass

import mkiso

# What Glasshouse draws with, as an 8-bit value of each colour.
INK, PAPER = 170, 0
# A cell whose pixels are none of the font's glyphs.
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# The font's glyph for characters that are not ASCII.
FRAME = "\N{WHITE SQUARE}"


@dataclass
class Picture:
    """Lines of pixels, each three bytes: red, green, blue."""

    width: int
    height: int
    rows: list


def read_ppm(data):
    """A binary PPM picture, as QEMU's command screendump writes it."""
    head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height = int(head[1]), int(head[2])
    size = 3 * width
    return Picture(width, height, [data[at:at + size] for at in range(head.end(), head.end() + size * height, size)])


def read_xwd(data):
    """A dump of an X screen of depth 24, as Xvfb keeps it in the folder that its option -fbdir names."""
    head = struct.unpack_from(">25I", data)
    start, width, height, bits, pitch = head[0] + 12 * head[19], head[4], head[5], head[11], head[12]
    assert head[1] == 7 and head[2] == 2 and bits == 32 and head[7] == 0, "not an XWD picture of 32 bits, LSB first"
    rows = []
    for at in range(start, start + pitch * height, pitch):
        row = bytearray(3 * width)
        for colour in range(3):
            row[colour::3] = data[at + 2 - colour:at + 4 * width:4]
        rows.append(bytes(row))
    return Picture(width, height, rows)


def read_framebuffer(data, width, height, pitch, pixel_bytes):
    """The bytes of a framebuffer whose pixels have blue, green and red in their lowest bytes."""
    def row(at):
        line = data[at:at + width * pixel_bytes]
        return b"".join(line[x:x + 3][::-1] for x in range(0, len(line), pixel_bytes))
    return Picture(width, height, [row(y * pitch) for y in range(height)])


class XServer:
    """Xvfb, an X server whose screen is a file in `folder`. `display`: its name."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "Xvfb_screen0"
        number, other_end = os.pipe()
        with open(number, "rb") as chosen:
            # It ends when this process ends, however that happens.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "Xvfb", "-displayfd", str(other_end), "-fbdir", folder,
                 "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
                pass_fds=[other_end], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            os.close(other_end)
            self.display = ":" + chosen.readline().decode().strip()
        assert self.display != ":", "Xvfb did not start"

    def picture(self):
        """What is on the screen."""
        return read_xwd(self.file.read_bytes())

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()


def font():
    """The glyphs of build/font.h: [(character, its lines as numbers)]."""
    text = (mkiso.BUILD / "font.h").read_text()
    first = int(re.search(r"#define FONT_FIRST +(\w+)", text)[1], 0)
    tables = re.findall(r"^\t\{(.*)\}", text, re.M)
    glyphs = [[int(number, 16) for number in table.split(",")] for table in tables]
    names = [chr(first + n) for n in range(len(glyphs) - 1)] + [FRAME]
    return list(zip(names, glyphs))


def patterns(ink=INK, paper=PAPER):
    """{the pixels of a cell: the character}."""
    def pixels(bits):
        return b"".join(bytes([ink if bits & 0x80 >> x else paper] * 3) for x in range(8))
    return {b"".join(map(pixels, glyph)): name for name, glyph in font()}


def text(picture, left=0, top=0, width=None, height=None):
    """The lines of text in a part of the picture, without spaces at their ends; by default all of it.

    Each pixel counts: UNKNOWN stands for a cell that is not exactly as Glasshouse would draw it.
    """
    known = patterns()
    right = min(left + (width or picture.width), picture.width)
    bottom = min(top + (height or picture.height), picture.height)
    lines = []
    for y in range(top, bottom - 15, 16):
        cells = (b"".join(row[3 * x:3 * x + 24] for row in picture.rows[y:y + 16])
                 for x in range(left, right - 7, 8))
        lines.append("".join(known.get(cell, UNKNOWN) for cell in cells).rstrip(" "))
    return lines


# The lines of pixels of a character in OVMF's font. Its characters are 8 pixels wide.
FIRMWARE_LINES = 19


def firmware_shows(picture, said):
    """Does the picture show `said`, on one line, in the font of OVMF, which is not known here?

    The same character has the same pixels, and different ones have different pixels; that is as good as the font for
    a text in which many characters are repeated.
    """
    assert len(set(said)) < len(said) - 8, f"{said!r} repeats too few characters"
    for y in range(picture.height - FIRMWARE_LINES + 1):
        cells = [b"".join(row[x:x + 24] for row in picture.rows[y:y + FIRMWARE_LINES])
                 for x in range(0, 3 * picture.width - 23, 24)]
        for start in range(len(cells) - len(said) + 1):
            pairs = set(zip(cells[start:], said))
            if len(pairs) == len({cell for cell, _ in pairs}) == len({name for _, name in pairs}):
                return True
    return False


def wrapped(said, columns):
    """The lines that a screen with so many columns shows for a text that fits on it."""
    lines = []
    for line in said.splitlines():
        lines += [line[at:at + columns].rstrip(" ") for at in range(0, max(len(line), 1), columns)]
    return lines
