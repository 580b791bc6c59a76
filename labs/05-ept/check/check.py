# SPDX-License-Identifier: MIT
"""Lab 5: its tests, which pages and maps it asks for, and what the answers must be."""
import re
from dataclasses import dataclass

from labs import Test

TICKS = 2_000_000_000  # hole 4 is tried at length
LINUX = ("2.6.33", "3.18")
# The steps of which one is asked for, and how.
ROAD = {"handle_ept_violation": "handles the exit EPT_VIOLATION", "mmu_page_fault": "all page faults come to",
        "vm0_page_fault": "decides what VM 0 gets after an EPT violation"}
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

EPT = "`ept ADDRESS` in the monitor of `make lab-5` (Ctrl-T) shows the entry at each level."

TESTS = [
    Test("ept_last_entry", "log",
         "Hole 1. From the root down: 9 bits of the address choose the entry; where does the walk end?",
         "It ends at a hole, at level 1, and at a page of level 2 or 3 (bit 7). table_of() gives the next table's address: what "
         "stands in the entry is physical. *shift is 39 at level 4, and 9 less at each lower one.", "ok 1"),
    Test("ept_new_leaf", "log",
         "Hole 2. MAP: the address and c->bits, and bit 7 above level 1. PROTECT: the old entry with other permissions.",
         "Nothing else changes with PROTECT: the address, the memory type, the CPU's flags, EPT_HELD. With MAP the host-physical "
         "address is gpa + c->offset.", "ok 2"),
    Test("ept_split", "log",
         "Hole 3. 512 entries; each maps 1/512 of what the large page did, with the same permissions and type.",
         "Level 3 becomes 512 pages of 2 MiB: bit 7 stays. Level 2 becomes pages of 4 KiB: bit 7 goes. With caps.ad both "
         "AD_FLAGS are set in each entry. A hole becomes an empty table; without memory the result is NULL.", "ok 3"),
    Test("ept_change_entry", "log",
         "Hole 4. The line that begins with # says which operation, which page, what is there and what must be.",
         "Three cases: the change fits into this entry (fits_entry); there is a table below, so change that, and collapse; "
         "otherwise split, change the new table while no CPU can be in it, then let the entry point to it. A table that "
         "was in use is dropped with live = true.", "ok 4"),
    Test("ept_prot_below", "log", "Hole 5. W without R, and X without R on a CPU without execute-only pages, are misconfigurations.",
         "With R everything is allowed. Without R, only X alone can stay, and only with caps.exec_only.", "ok 5"),
    Test("invept", "log", "Hole 6. INVEPT of one context has the EPT pointer as its operand: which one?",
         "vmx_flush_tlb: that of the VM's tables, ept_pointer(). vmx_use_tables: the one that is given, if flush; and "
         "EPT_POINTER in the VMCS becomes it.", "ok 6"),
    Test("guest", "guest", "The guest writes to each page of its memory, and reads it. Which line says not ok?",
         "A guest that hangs: an EPT violation comes again and again for the same access, as the tables do not allow it "
         "or an old translation is cached. `make lab-5`, Ctrl-T, `stat` and `ept ADDRESS` show it.",
         "ok 2 - and finds there what it has written"),
    Test("watch", "log", "The page lacks W, so the write exits once; then the vCPU has other tables for one instruction.",
         "Tests 5 and 6 have passed. Does the walk find the held page? `make lab-5`, Ctrl-T, `ept ADDRESS` says \"watched\".",
         "The guest has written ..."),
    Test("tables", "answer", "Draw it: which tables does a range need, whose ends are not aligned?",
         "One table of level 3; one of level 2 for each GiB, all or part; one of level 1 for each 2 MiB that is mapped only in "
         "part. Whole 2 MiB need none. The root does not count.", "tables = 7"),
    Test("entry", "answer", f"The last entry of the walk to your address, when the guest has printed its plan. {EPT}",
         "The lowest level's entry, in hexadecimal, without leading zeros. The CPU has set flags in it.", "entry = 4e003b7"),
    Test("watched-entry", "answer", f"The last entry for your watched page, when the guest has printed its plan. {EPT}",
         "Look before you use the command watch yourself: it watches other bytes instead.", "watched-entry = 2345935"),
    Test("handler", "answer", "In the monitor of `make lab-5`, `cycle steps` lists every step: function, file and line, KVM's names.",
         "Which function is asked for is what lab-5-check prints first.", "handler = a_function"),
    Test("handler-in-kvm", "answer", "The same row of `cycle steps`, in the column of your Linux.",
         "The columns are 2.6.33, 3.18, 6.1.", "handler-in-kvm = a_function"),
]


@dataclass
class Choice:
    """What a student is asked."""

    start: int
    size: int
    asked: int
    watched: int
    step: str
    linux: str


def choice(seed):
    """The Choice for a seed."""
    start = seed.number("gib", 8) * GIB + (1 + seed.number("block", 500)) * 2 * MIB - (seed.number("before", 511) + 1) * 4 * KIB
    size = (1 + seed.number("gibs", 3)) * GIB + seed.number("blocks", 500) * 2 * MIB + (1 + seed.number("pages", 400)) * 4 * KIB
    blocks = seed.choose("page", range(20, 40), 2)
    asked, watched = (block * 2 * MIB + seed.number(name, 512) * 4 * KIB for block, name in zip(blocks, ("asked", "watched")))
    return Choice(start, size, asked, watched, seed.choose("step", ROAD, 1)[0], seed.choose("linux", LINUX, 1)[0])


def questions(seed):
    """What the student must know, besides README.md."""
    this = choice(seed)
    return (f"tables: {this.size:#x} bytes at {this.start:#x}. entry: {this.asked:x}. watched-entry: {this.watched:x}.\n"
            f"handler: the function that {ROAD[this.step]}. Your Linux is {this.linux}.")


def offset(seed):
    """Where in a page the guest writes."""
    return 8 * seed.number("offset", 512)


def salt(seed):
    """What changes the values that it writes."""
    return seed.number("salt", 1 << 32)


def macros(seed, _broken):
    """For seed.h: the student's pages, what the guest writes, and the map that is asked for."""
    this = choice(seed)
    return {"LAB_MAP_START": f"{this.start:#x}ull", "LAB_MAP_SIZE": f"{this.size:#x}ull", "LAB_ASKED": f"{this.asked:#x}ull",
            "LAB_WATCHED": f"{this.watched:#x}ull", "LAB_OFFSET": offset(seed), "LAB_SALT": f"{salt(seed)}ull"}


def guest_words(seed):
    """The guest's command line."""
    return f"offset={offset(seed)} salt={salt(seed)}"


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def keys(output):
    """{key: answer}, from the tables and the markers of the running binary."""
    found = dict(re.findall(r"^key ([\w-]+) = (.*)$", output.log, re.M))
    this = choice(output.seed)
    rows = [line.split(" | ") for line in re.findall(r"^key marker (.*)$", output.log, re.M)]
    row = [row for row in rows if row[0] == this.step]
    if row:
        found.update({"handler": row[0][1], "handler-in-kvm": row[0][3 + LINUX.index(this.linux)]})
    return found
