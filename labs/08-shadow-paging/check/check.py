# SPDX-License-Identifier: MIT
"""Lab 8: its tests, what its guest does, and what the answers must be."""
import re

from labs import Test

# The check boots without EPT, and then with it, to compare.
WITH = "ept"
BOOTS = {"": "ept=off", WITH: ""}

# What the guest measures; one is asked for.
MEASURED = ("first-access", "invlpg", "mov-to-cr3")

COUNT = "Let the guest of `make lab-8` run (Ctrl-T, resume), and ask the monitor when the guest has printed its plan: stat"

TESTS = [
    Test("find_leaf", "log",
         "Hole 1. The lines that begin with # have the entries of the walk, and where it must end.",
         "A loop from w->top down. Write at[], entry[], rights[], level and leaf_acc before you look at PT_P: they are right also "
         "when the walk ends there. The reserved bits come before the rights; leaf_acc gets an entry's own rights after both.", "ok 1"),
    Test("access_error", "log",
         "Hole 2. Three bits, two of which are simply those of the access.",
         "A CPU without SMEP and with NX switched off says nothing about fetches. PF_ERROR_P and PF_ERROR_RSVD come from the walk.",
         "ok 2"),
    Test("may_access", "log",
         "Hole 3. The line that begins with # has the access and the rights.",
         "CPL 3 first: three conditions. Then the supervisor: fetch; data with SMAP; write with WP. WP does not concern CPL 3, SMEP "
         "and SMAP do not concern supervisor pages.", "ok 3"),
    Test("mark_accessed", "log",
         "Hole 4. Which flags at which level? And what if another CPU has changed an entry meanwhile?",
         "PT_A at each level from w->top to w->level; PT_D in the leaf only, and only for a write. set_entry_flags() changes nothing "
         "and returns false when the entry is another one now: return false, too.", "ok 4"),
    Test("leaf_rights", "log",
         "Hole 5. The line that begins with # has the guest's rights, and what they must become.",
         "Without PT_D no ACC_W. With override: ACC_W, no ACC_U, and with SMEP no ACC_X if there was ACC_U. An override is a write: the walk has set "
         "PT_D.", "ok 5"),
    Test("make_spte", "log",
         "Hole 6, and rights(). Compare the two entries in the line that begins with #, bit by bit.",
         "PT_W needs both ACC_W and EPT_W, and PT_D goes with it; PT_NX unless both allow to execute; PAT is bit 7 at level 1 and bit "
         "12 above: of leaf_level in the guest's entry, of level in yours.", "ok 6"),
    Test("fix_choose", "log",
         "Hole 7. The line that begins with # has the guest's leaf, the second level, and what was chosen.",
         "Start at level 1 and go up while the next level is at most guest_level, at most 2 (3 with page_1g), and spte_size(level + 1) "
         "is at most map.size, and has_shielded() is false.", "ok 7"),
    Test("fix_map", "log",
         "Hole 8. The line that begins with # has the guest's entries and those of the shadow tables, afterwards.",
         "All seven steps of the comment are checked. The host-physical address of a leaf above level 1 has zeros in its low bits: "
         "ALIGN_DOWN(fix->map.hpa, spte_size(fix->level)).", "ok 8"),
    Test("guest", "guest", "The guest has random flags in its page tables, at each level: which of its lines says not ok?",
         "The line that begins with # has the access, what came, and the entries. A guest that does not come to its end faults "
         "again and again: an entry is written that does not allow the access.", "ok 1 - 100 accesses by random page tables"),
    Test("walks", "log", "Each walk of the guest's tables was compared with the check's own, while the guest ran.",
         "Tests 1 to 4 have passed, so look at what these tables have that the random ones have not: the guest's large pages, and "
         "walks that begin below the top.", "ok 10"),
    Test("guest-with-ept", "guest", "The second boot, with EPT: the same guest must see the same.",
         "`make lab-8 BOOT=ept` boots it on this terminal. Nothing of what you have written is in use there, but for walks "
         "when an instruction is emulated.", "ok 1 - 100 accesses by random page tables", WITH),
    Test("invlpg-exits", "answer", f"{COUNT}.", "The number for INVLPG.", "invlpg-exits = 123"),
    Test("cr-exits", "answer", f"{COUNT}.", "The number for CR_ACCESS.", "cr-exits = 123"),
    Test("fixed", "answer", f"{COUNT}. How many page faults were fixed?", "The line \"page faults that exit\". One in ten more or "
         "fewer is right, too.", "fixed = 123"),
    Test("ticks", "answer", "The guest prints how many ticks it has measured, in both boots: `make lab-8` and `make lab-8 BOOT=ept`.",
         "Two numbers: without EPT, with EPT. A fifth more or less is right, too.", "ticks = 2000 10"),
]


def measured(seed):
    """What is asked for."""
    return seed.choose("measured", MEASURED, 1)[0]


def questions(seed):
    """What the student must know, besides README.md."""
    return f"Your measurement is {measured(seed)}."


def macros(_seed, _broken):
    """For seed.h: nothing more."""
    return {}


def guest_words(seed):
    """The guest's command line."""
    return (f"seed={seed.number('guest', 1 << 32)} cases={300 + seed.number('cases', 200)} "
            f"switches={50 + seed.number('switches', 100)}")


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def keys(output):
    """{key: answer}, as both boots have counted and measured."""
    found = dict(re.findall(r"^key ([\w-]+) = (.*)$", output.log, re.M))
    if not found:
        return {}
    ticks = [re.search(rf"^# ticks {measured(output.seed)} (\d+)$", this.serial, re.M) for this in (output, output.of(WITH))]
    return {**found, "ticks": " ".join(t[1] for t in ticks)} if all(ticks) else found


def accepts(key, given, right):
    """What depends a little on when the monitor comes in between need not be exact."""
    share = {"fixed": 10, "ticks": 5}.get(key)
    if not share or not re.fullmatch(r"[\d ]+", given) or len(given.split()) != len(right.split()):
        return given == right
    return all(abs(int(g) - int(r)) <= int(r) / share + 2 for g, r in zip(given.split(), right.split()))
