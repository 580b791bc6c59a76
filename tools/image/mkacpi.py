#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the ACPI tables of Bochs' PC: under OVMF it has none, because Bochs' own BIOS makes them.

The DSDT is compiled from guests/efi/dsdt.asl.
"""
import struct

import mkiso

DSDT = mkiso.BUILD / "guest" / "dsdt.aml"

PM = 0xb000           # where OVMF puts the ports of the PIIX4's power management
SCI = 9               # the interrupt of the same
RESET = (0xcf9, 6)    # the port and the byte that reset the PC
IO_APIC = 0xfec00000
HPET = 0xfed00000
LOCAL_APIC = 0xfee00000


def table(signature, revision, body):
    """A table with its header and its checksum."""
    head = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, b"GLASSH", b"BOCHSPC ", 1,
                       b"GLAS", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xff
    return bytes(data)


def address(space, width, where):
    """ACPI's generic address structure."""
    return struct.pack("<BBBBQ", space, width, 0, 0, where)


def madt(cpus, x2apics=()):
    """Local APICs 0 to cpus - 1, others with the IDs `x2apics`, the I/O APIC, and what is not wired as on its bus."""
    body = struct.pack("<II", LOCAL_APIC, 1)
    for cpu in range(cpus):
        body += struct.pack("<BBBBI", 0, 8, cpu, cpu, 1)
    for number, apic_id in enumerate(x2apics, cpus):
        body += struct.pack("<BBHIII", 9, 16, 0, apic_id, 1, number)
    body += struct.pack("<BBBBII", 1, 12, cpus, 0, IO_APIC, 0)
    body += struct.pack("<BBBBIH", 2, 10, 0, 0, 2, 0)           # the timer is at pin 2
    body += struct.pack("<BBBBIH", 2, 10, 0, SCI, SCI, 0xd)     # active high, level
    return table(b"APIC", 1, body)


def fadt():
    """Revision 3, which has a reset register. GRUB, or guests/efi/acpi.c, sets the DSDT's address."""
    port, value = RESET
    body = struct.pack("<IIBBHIBBBB", 0, 0, 0, 1, SCI, 0, 0, 0, 0, 0)
    body += struct.pack("<IIIIIIII", PM, 0, PM + 4, 0, 0, PM + 8, 0, 0)
    body += struct.pack("<BBBBBBBBHHHHBBBBB", 4, 2, 0, 4, 0, 0, 0, 0, 0xfff, 0xfff, 0, 0, 0, 0, 0, 0, 0x32)
    body += struct.pack("<HBI", 3, 0, 0x4a5 | 1 << 10)           # legacy devices, 8042; a reset register
    body += address(1, 8, port) + struct.pack("<BBBB", value, 0, 0, 0) + struct.pack("<QQ", 0, 0)
    body += address(1, 32, PM) + address(1, 0, 0) + address(1, 16, PM + 4) + address(1, 0, 0)
    body += address(1, 0, 0) + address(1, 32, PM + 8) + address(1, 0, 0) + address(1, 0, 0)
    assert len(body) == 244 - 36
    return table(b"FACP", 3, body)


def hpet():
    """The HPET, of three timers."""
    return table(b"HPET", 1, struct.pack("<I", 0x8086a201) + address(0, 64, HPET) + struct.pack("<BHB", 0, 0, 0))


def tables(cpus):
    """The tables of the PC with this many CPUs, {name of a file: content}."""
    return {"facp.aml": fadt(), "apic.aml": madt(cpus), "hpet.aml": hpet(), "dsdt.aml": DSDT.read_bytes()}
