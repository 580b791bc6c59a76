#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nx_compat.py FILE: says in the header of a program for UEFI that it obeys memory protection (NX_COMPAT).

First it checks what the header can show: no section is writable and executable, and each has pages of its own. objcopy
cannot set the flag. Source: Microsoft's "PE Format".
"""
import struct
import sys
from pathlib import Path

PAGE = 4096
NX_COMPAT = 0x100
EXECUTE, WRITE = 0x20000000, 0x80000000  # of a section

# Offsets in the optional header.
ALIGNMENT, CHECKSUM, CHARACTERISTICS = 32, 64, 70


def sections(pe):
    """The offset of the optional header, and each section: name, address, flags."""
    start = struct.unpack_from("<I", pe, 0x3c)[0]
    count, size = struct.unpack_from("<2xH12xH", pe, start + 4)
    optional = start + 24
    table = [struct.unpack_from("<8s4xI20xI", pe, optional + size + 40 * i) for i in range(count)]
    return optional, [(name.rstrip(b"\0").decode(), address, flags) for name, address, flags in table]


def checksum(pe):
    """The checksum of a file whose own is 0."""
    total = sum(struct.unpack(f"<{len(pe) // 2}H", pe[:len(pe) & ~1])) + (pe[-1] if len(pe) & 1 else 0)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total + len(pe)


def main():
    """Changes the file; with an error it is left alone."""
    path = Path(sys.argv[1])
    pe = bytearray(path.read_bytes())
    optional, found = sections(pe)
    if struct.unpack_from("<I", pe, optional + ALIGNMENT)[0] % PAGE:
        sys.exit(f"{path}: sections share pages, so they cannot be protected")
    for name, address, flags in found:
        if flags & EXECUTE and flags & WRITE or address % PAGE:
            sys.exit(f"{path}: section {name} is writable and executable, or does not begin a page")
    flags = struct.unpack_from("<H", pe, optional + CHARACTERISTICS)[0]
    struct.pack_into("<H", pe, optional + CHARACTERISTICS, flags | NX_COMPAT)
    struct.pack_into("<I", pe, optional + CHECKSUM, 0)
    struct.pack_into("<I", pe, optional + CHECKSUM, checksum(pe))
    path.write_bytes(pe)


if __name__ == "__main__":
    main()
