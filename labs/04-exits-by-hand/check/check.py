# SPDX-License-Identifier: MIT
"""Lab 4: its tests, what its guest does, and what the answers must be."""
import re

from labs import Test

# Ports that exit, and whose IN changes nothing.
PORTS = (0x70, 0x92, 0x64)

STAT = "Let the guest of `make lab-4` run (Ctrl-T, resume), and ask the monitor when the guest has printed its plan: stat"

TESTS = [
    Test("vmx_skip_to", "log", "Hole 1. VMWRITE the new RIP to GUEST_RIP.",
         "Without it the guest executes the same instruction again, exits again, and so on for ever: Glasshouse does not hang, "
         "the guest does.", "ok 1"),
    Test("vmx_end_instruction", "log",
         "Hole 2, and the condition in hole 1 under which it is called. The line that begins with # has the values.",
         "VMWRITE GUEST_INTERRUPTIBILITY_INFO without the two shadows, GUEST_RFLAGS without RF; with TF: BS in the pending debug "
         "exceptions is 1 without BTF, 0 with it. What is not named stays as it is.", "ok 2"),
    Test("emulate_rdmsr", "log", "Hole 3. The number is the low half of RCX; each half of the value fills a whole register.",
         "Read into a variable first. When the VM refuses, return before a register changes.", "ok 3"),
    Test("emulate_wrmsr", "log", "Hole 4, and edx_eax(): the low half of RDX above the low half of RAX.",
         "(u64)(u32)RDX << 32 | (u32)RAX: the upper halves of both may hold anything.", "ok 4"),
    Test("assign_register", "log", "Hole 5. 1 and 2 bytes keep the rest, 4 bytes clear the upper half, 8 bytes replace all.",
         "SDM: \"General-Purpose Registers in 64-Bit Mode\": 32-bit operands generate a 32-bit result, zero-extended.", "ok 5"),
    Test("emulate_pio", "log", "Hole 6. kernel_pio() once, the register for IN only, the skip once, return 1.",
         "The value for kernel_pio() is EAX, whatever the size. IN uses hole 5.", "ok 6"),
    Test("cpuid_mask", "log", "Hole 7. The line that begins with # has the leaf, the register, and what must be left.",
         "Which table: bit 31 of the leaf. Leaves of CPUID_MAX_LEAVES and more (without bit 31) hide nothing: do not "
         "index with them. Index i in first[] or next means hidden[i - 1].", "ok 7"),
    Test("cpuid_exits", "log", "Hole 8. The line that begins with # has the sum, and what you have answered.",
         "Add 64-bit numbers, then cut the sum into two halves. The guest chooses the reason: look at its range before you index with it.",
         "ok 8"),
    Test("guest", "guest", "The guest executes the instructions: which of its lines says not ok?",
         "A guest that does not come to its end executes an instruction again and again, or gets an exception that it should "
         "not get.", "ok 6 - a single step over CPUID"),
    Test("cpuid-exits", "answer", f"{STAT}.",
         "The column of samples for CPUID. Glasshouse's log has the same numbers at power-off, in the line exits:.",
         "cpuid-exits = 123"),
    Test("wrmsr-exits", "answer", f"{STAT}.", "The number for MSR_WRITE.", "wrmsr-exits = 123"),
    Test("port", "answer", f"{STAT} -p. The port with most exits, in hexadecimal, and their number.",
         "Two words: the port without 0x, the number. Ports from 100h on do not count.", "port = 71 123"),
]


def questions(_seed):
    """What the student must know, besides README.md: nothing."""
    return ""


def macros(_seed, _broken):
    """For seed.h: nothing more."""
    return {}


def guest_words(seed):
    """The guest's command line."""
    port = seed.choose("port", PORTS, 1)[0]
    counts = (f"{name}={low + seed.number(name, 100)}" for name, low in (("cpuids", 50), ("writes", 30), ("ios", 100)))
    return f"port={port} {' '.join(counts)}"


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def keys(output):
    """{key: answer}, as the check has counted the exits."""
    return dict(re.findall(r"^key ([\w-]+) = (.*)$", output.log, re.M))
