# SPDX-License-Identifier: MIT
"""Reads the file that `glasshouse-stat -t` writes: the recorded exits of each vCPU (include/trace_ring.h)."""
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MAGIC = b"glasshouse exits"
HEADER = struct.Struct("<16s6I128Q")
RECORD = struct.Struct("<5Q")

# Bits of a record's reason.
STEP, KICKS, KICKED, EVENT, BEAT = 1 << 43, 1 << 60, 1 << 61, 1 << 62, 1 << 63

NAMES = {int(number): name for name, number in re.findall(
    r"^EXIT_REASON\((\w+), (\d+)\)", (ROOT / "vmm/vmx/exit_reasons.def").read_text(), re.M)}


class Damaged(ValueError):
    """The file is none of recorded exits, or damaged; the text says why."""


@dataclass(frozen=True)
class Exit:
    """One exit. Times are in ticks of the time-stamp counter; left is None where it is not known."""

    vcpu: int
    reason: int
    qualification: int
    rip: int
    entered: int
    exited: int
    left: int | None
    vector: int | None  # of the event that the next entry delivered
    step: bool  # the guest made a single step before
    kicks: bool  # other vCPUs were kicked meanwhile
    kicked_by: int | None  # the vCPU that has kicked this one, for the exit or meanwhile

    @property
    def name(self):
        """KVM's name of the reason."""
        return NAMES.get(self.reason & 0xffff, f"{self.reason & 0xffff}")

    @property
    def about(self):
        """What the exit was about, in words: a port or an MSR; "" for others."""
        if self.name == "IO_INSTRUCTION":
            return f"port {self.qualification >> 16 & 0xffff:x}"
        if self.name in ("MSR_READ", "MSR_WRITE", "RDMSR_IMM", "WRMSRNS_IMM"):
            return f"MSR {self.qualification & 0xffffffff:x}"
        return ""


@dataclass
class Vcpu:
    """A vCPU: its number, its CPU's APIC ID, how many exits it has had by name, and those that are recorded."""

    number: int
    apic_id: int
    counts: dict
    exits: list = field(default_factory=list)


@dataclass
class Trace:
    """All of a file. khz: how often the time-stamp counter counts in a millisecond."""

    khz: int
    vcpus: list

    @property
    def exits(self):
        """The exits of all vCPUs, in the order of their times."""
        return sorted((e for vcpu in self.vcpus for e in vcpu.exits), key=lambda e: e.exited)

    @property
    def start(self):
        """The time of the first recorded entry."""
        return min((e.entered for e in self.exits), default=0)

    def ns(self, ticks):
        """A number of ticks in nanoseconds."""
        return ticks * 1_000_000 // self.khz


def _exits(vcpu, records):
    """The exits in a ring's records, the oldest first; of Glasshouse's own timer only those with kicks."""
    newest = max(range(len(records)), key=lambda i: records[i][3])
    ordered = records[newest + 1:] + records[:newest + 1]
    found = []
    # After the newest comes the oldest again, whose entry is before that exit.
    for (reason, qualification, rip, entered, exited), after in zip(ordered, ordered[1:] + ordered[:1]):
        if exited <= entered or (reason & BEAT and not reason & (KICKS | KICKED)):
            continue
        left = after[3] if after[3] >= exited else None
        vector = reason >> 32 & 0xff if reason & EVENT else None
        kicked_by = reason >> 44 & 0xfff if reason & KICKED else None
        found.append(Exit(vcpu, reason & 0xffffffff, qualification, rip, entered, exited, left, vector,
                          bool(reason & STEP), bool(reason & KICKS), kicked_by))
    return found


def parse(data):
    """The Trace in the bytes of a file. Damaged if they are none."""
    at, vcpus, khz = 0, [], 0
    while at < len(data):
        if len(data) - at < HEADER.size:
            raise Damaged("the file ends within the header of a ring")
        magic, version, size, records, number, apic_id, khz, *counts = HEADER.unpack_from(data, at)
        if magic != MAGIC:
            raise Damaged(f"it does not begin with {MAGIC.decode()!r}: `glasshouse-stat -t FILE` makes such a file")
        if version != 1:
            raise Damaged(f"it has the format {version}, and this program reads format 1")
        if not khz or not records or HEADER.size + records * RECORD.size > size or size > len(data) - at:
            raise Damaged("the header of a ring is wrong, or the file has been cut")
        first = at + HEADER.size
        ring = [RECORD.unpack_from(data, first + i * RECORD.size) for i in range(records)]
        by_name = {NAMES.get(i, str(i)): n for i, n in enumerate(counts) if n}
        vcpus.append(Vcpu(number, apic_id, by_name, _exits(number, ring)))
        at += size
    if not vcpus:
        raise Damaged("it is empty")
    return Trace(khz, vcpus)
