#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a C table of a console font's glyphs: ASCII, and a replacement for all other characters.

Usage: mkfont.py FONT.psf.gz >font.h. The font must have the format PSF 1 and glyphs of 8 by 16 pixels.
"""
import gzip
import sys

WIDTH, HEIGHT = 8, 16
MAGIC = b"\x36\x04"
FLAG_512, FLAG_UNICODE = 1, 2
SEQUENCE, END = 0xfffe, 0xffff
FIRST, LAST = 0x20, 0x7e

# A frame, for a character that is not ASCII.
REPLACEMENT = bytes([0, 0, 0x7e] + [0x42] * 10 + [0x7e, 0, 0])

HEADER = """\
/* Made by tools/build/mkfont.py from {name}. One byte is a line of a glyph, bit 7 its left pixel. */
#define FONT_WIDTH  {width}
#define FONT_HEIGHT {height}
#define FONT_FIRST  {first:#x} /* the character of the first glyph; the last glyph is the replacement */
static const unsigned char font_glyphs[{count}][FONT_HEIGHT] = {{
"""


def read_font(data, name):
    """{character code: its HEIGHT bytes} of a PSF 1 font; exits if it has another format."""
    if data[:2] != MAGIC or data[3] != HEIGHT or not data[2] & FLAG_UNICODE:
        sys.exit(f"mkfont: {name} is no PSF 1 font of {WIDTH} by {HEIGHT} pixels with a Unicode table")
    count = 512 if data[2] & FLAG_512 else 256
    end = 4 + count * HEIGHT
    words = memoryview(data[end:len(data) - (len(data) - end) % 2]).cast("H")
    glyphs, number, single = {}, 0, True
    for word in words:
        if word == END:
            number, single = number + 1, True
        elif word == SEQUENCE:
            single = False
        elif single and number < count:
            at = 4 + number * HEIGHT
            glyphs.setdefault(word, data[at:at + HEIGHT])
    return glyphs


def table(glyphs, name):
    """The text of the C header."""
    wanted = [glyphs.get(code) for code in range(FIRST, LAST + 1)] + [REPLACEMENT]
    if None in wanted or len(set(wanted)) != len(wanted):
        sys.exit(f"mkfont: {name} lacks an ASCII character, or two of them look the same")
    lines = [HEADER.format(name=name, width=WIDTH, height=HEIGHT, first=FIRST, count=len(wanted))]
    for number, glyph in enumerate(wanted):
        code = FIRST + number
        lines.append("\t{" + ", ".join(f"{byte:#04x}" for byte in glyph) +
                     "}, /* " + (f"{code:02x}h" if code <= LAST else "replacement") + " */\n")
    return "".join(lines) + "};\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: mkfont.py FONT.psf.gz")
    path = sys.argv[1]
    with gzip.open(path) as file:
        sys.stdout.write(table(read_font(file.read(), path), path.rpartition("/")[2]))
