# SPDX-License-Identifier: MIT
"""Lab 7: its tests, what happens to a student's vCPU, and what the answers must be."""
import re

from labs import Test

CPUS = 2
# INITs never reach the hardware, which the emulator would not handle.
BOOTS = {"": "icr=trap"}

# What happens: i: INIT; a, b, c: SIPIs; h: the run loop handles the requests.
SEQUENCES = ("iahbh", "ahibh", "ihahbh", "iahibhch", "ahiahbh")
INIT, HANDLE = 0x100, 0x200

CALL = "Look at the lines that begin with # and at your test's sentence; check.c has the broken kicks."

TESTS = [
    Test("halt_until", "log", "Hole 1. Test the flag, HLT, and again. Where are the two labels?",
         "halt_until_test stands before the test of the flag, halt_until_end directly behind the HLT. From there jump back to the "
         "test.", "ok 1"),
    Test("vcpu_kick", "log", "Hole 2. The line that begins with # has the case. The order: wake, kicked, NMI.",
         "__atomic_compare_exchange_n(&vcpu->kicked, &nobody, kicker(), ...), with u32 nobody = 0, is true if kicked was 0: only then "
         "send the NMI.", "ok 2"),
    Test("vcpu_make_request", "log", "Hole 3. Two statements, and their order matters.",
         "__atomic_or_fetch(&vcpu->requests, request, __ATOMIC_SEQ_CST), then the kick.", "ok 3"),
    Test("vcpu_nmi", "log", "Hole 4. Exchange kicked with 0; what it was says whose NMI it is.",
         "__atomic_exchange_n() returns the old value.", "ok 4"),
    Test("vcpu_root_nmi", "log", "Hole 5. Hole 4, and the next entry exits at once; nothing without a vCPU.",
         "this_cpu()->vcpu is NULL until it is created, and NMIs may come before.", "ok 5"),
    Test("vcpu_deliver", "log", "Holes 6 and 7. The line that begins with # says in which state the vCPU was.",
         "A SIPI is dropped in one case only: the vCPU runs, and no INIT is posted.", "ok 6"),
    Test("handle_init", "log", "Hole 8. Two ways to wait, and they differ in three things.",
         "As a guest: virt->wait_for_sipi(), kicked = 0, no reset. Otherwise: the reset only. The state comes last in both.", "ok 7"),
    Test("handle_sipi", "log", "Hole 9. The line that begins with # says in which state the vCPU was.",
         "Read CS first: limit and access rights stay. ops->started() comes after the state.", "ok 8"),
    Test("test-right", "log", f"Hole 10. Your test says that right kicks are wrong. {CALL}",
         "vcpu_call() with a function that does nothing returns 0. Ticks: 100,000.", "ok 9"),
    Test("test-no-nmi", "log", "Hole 10. No NMI was sent, and your test has not noticed. Does the guest exit by itself?",
         "lab_quiet() first: while the guest executes CPUID, it looks at its requests at each exit.", "ok 10"),
    Test("test-late-request", "log", "Hole 10. The kick came before the request, and your test has not noticed.",
         "It must not be enough that the CPU comes: has it done what it was asked for? vcpu_call() knows.", "ok 11"),
    Test("test-one-kick", "log", "Hole 10. Only the first kick worked, and your test has not noticed.",
         "Call more than once.", "ok 12"),
    Test("calls", "log", "A call at a random time is lost: a kick, or the sleep.",
         "While CPU 1 waits for a SIPI it sleeps in hole 1; the NMI may come when it is about to enter its guest: hole 5.", "ok 13"),
    Test("guest", "guest", "CPU 1 does not start, or stands still: which of the guest's lines says not ok?",
         "A SIPI that is dropped although an INIT is posted; a request that is there without a kick.",
         "ok 4 - 200 INITs and SIPIs at random times: CPU 1 starts each time"),
    Test("start", "answer", "Where does your vCPU start last? Which SIPIs are dropped: README.md, hole 7.",
         "A SIPI counts if the vCPU waits for one, or will, because an INIT is posted.", "start = 12000"),
    Test("selector", "answer", "The selector of CS there.", "In real mode the base is 16 times the selector.", "selector = 1200"),
]


def sequence(seed):
    """What happens to the vCPU of a student: the letters, and the SIPIs' vectors."""
    vectors = dict(zip("abc", seed.choose("vectors", range(0x10, 0xa0), 3)))
    # It runs at first.
    return seed.choose("sequence", SEQUENCES, 1)[0], vectors


def questions(seed):
    """What the student must know, besides README.md."""
    letters, vectors = sequence(seed)
    words = {"i": "INIT", "h": "the run loop handles its requests"}
    return "Your vCPU runs. Then: " + ", ".join(words.get(c) or f"SIPI {vectors[c]:x}h" for c in letters) + "."


def macros(seed, _broken):
    """For seed.h: what happens to the vCPU."""
    letters, vectors = sequence(seed)
    numbers = {"i": INIT, "h": HANDLE, **vectors}
    return {"LAB_INIT": f"{INIT:#x}", "LAB_HANDLE": f"{HANDLE:#x}",
            "LAB_SEQUENCE": ", ".join(f"{numbers[c]:#x}" for c in letters)}


def guest_words(seed):
    """The guest's command line."""
    return f"seed={seed.number('guest', 1 << 32)} rounds=200"


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def keys(output):
    """{key: answer}, as the functions have done it, after their tests."""
    return dict(re.findall(r"^key ([\w-]+) = (.*)$", output.log, re.M))
