# SPDX-License-Identifier: MIT
"""Lab 9: its tests, the gate that the rootkit changes and how, and what the answers must be."""
import re

import bochs
import mkiso
from labs import Test

LINUX_GUEST = True  # the guest is Linux: a boot takes longer
MEMORY = 256  # MiB
TICKS = 6_000_000_000
# Exceptions that do not happen while the script runs.
VECTORS = (4, 5, 9, 10, 11, 12, 16, 17, 19)
KINDS = ("store", "lidt")
# System calls that the script's programs do not use: uselib, ustat, sysfs, vhangup, acct, swapon, reboot, sethostname, iopl, quotactl.
CALLS = (134, 136, 139, 153, 163, 167, 169, 170, 172, 179)

SEE = "In the monitor of `make lab-9` (Ctrl-T, when Linux' shell is there):"

TESTS = [
    Test("gate_handler", "log", "Hole 1. Bits 15:0 of the address, then 31:16, then 63:32: where are they in the gate?",
         "gate[0] bits 15:0; gate[0] bits 63:48; gate[1] bits 31:0. Use u64 for all shifts.", "ok 1"),
    Test("find_gate", "log", "Hole 2. The limit is the offset of the last byte: the gate's last byte must not be beyond it.",
         "base + 16 * vector is a linear address: guest_physical() translates it, or returns -EFAULT.", "ok 2"),
    Test("gate_changed", "log", "Hole 3. The line that begins with # has the gate as it was good, and as it is now.",
         "bad = all of word 0, or the low half of word 1, differs; alarm = bad and not alarmed before; alarmed = bad.", "ok 3"),
    Test("idtr_changed", "log", "Hole 4. find_gate(), read_guest(), gate_changed(); the new inspector->gate.",
         "Without a gate the 16 bytes are zeros, say: not present, so bad. inspector->gate changes only if find_gate() "
         "finds one.", "ok 4"),
    Test("find_call", "log", "Hole 5. The address of entry N is table + 8 * N. It is a linear address.",
         "guest_physical() of the entry's address, not of the table's: they may lie on different pages.", "ok 5"),
    Test("call_changed", "log", "Hole 6. As hole 3, but an entry is one word, and each bit of it counts.",
         "bad = now differs from good; alarm = bad and not alarmed before; alarmed = bad.", "ok 6"),
    Test("noise", "log", "A module has written to the watched pages, or loaded another IDT, and gate and entry were always good.",
         "The lines that begin with ALARM say which handler the inspector has seen, and which instruction did it.", "ok 7"),
    Test("rootkit", "log", "The gate has got another handler, once: by a store or by LIDT. Is there one line with ALARM?",
         "None: is inspector->gate where the gate is? Two: the rootkit writes the gate in two halves.", "ok 8"),
    Test("after", "log", "The rootkit has put the gate back, and later changed it once more: two alarms in all.",
         "When the gate is good again, inspector->alarmed must be false again.", "ok 9"),
    Test("system-call", "log", "The rootkit has changed your system call's entry, put it back, and done both once more: two alarms.",
         "None: is the entry that find_call() finds the right one (`pt ADDRESS`)? It is written by another linear address of the "
         "same memory. More than two: the rootkit writes the entry in two halves.", "ok 10"),
    Test("guest", "guest", "Linux' script: which of its lines says not ok?",
         "If Linux stops or reboots, something has written to its memory: the inspector only reads.",
         "ok 8 - the kernel has logged no problem"),
    Test("gate", "answer", f"{SEE} `vmcs guest_idtr_base`, then `pt ADDRESS` of your gate.",
         "base + 16 * vector, in hexadecimal, is the linear address. `pt` says which guest-physical address that is.",
         "gate = 2e3c050"),
    Test("handler", "answer", f"{SEE} `x ADDRESS 16` at your gate's linear address, and put the three parts together.",
         "The kernel's own handler, before the rootkit: 16 digits, without 0x.", "handler = ffffffff81c00aa0"),
    Test("how", "answer", "The line with ALARM in Glasshouse's log says how the gate was changed, and guest/rootkit.c what that means.",
         "One word: store or lidt.", "how = store"),
    Test("call", "answer", "In Linux' shell: grep ' sys_call_table$' /proc/kallsyms. Then `pt ADDRESS` of your entry, in the monitor.",
         "The address of the table + 8 * your system call's number is the linear one. `pt` says which guest-physical address that is.",
         "call = 1a00a78"),
]


def choice(seed):
    """The vector, how the rootkit changes its gate, and the system call."""
    return seed.choose("vector", VECTORS, 1)[0], seed.choose("rootkit", KINDS, 1)[0], seed.choose("call", CALLS, 1)[0]


def questions(seed):
    """What the student must know, besides README.md."""
    vector, _, call = choice(seed)
    return f"Your vector is {vector}. Your system call is {call}."


def macros(seed, _broken):
    """For seed.h: the vector, the system call."""
    vector, _, call = choice(seed)
    return {"LAB_VECTOR": vector, "LAB_CALL": f"{call}u"}


def guest_words(seed):
    """The guest's parameters. With page-table isolation, a copy of the IDT would not be mapped in user mode."""
    vector, kind, call = choice(seed)
    return f"gh.vector={vector} gh.kind={kind} gh.call={call} nokaslr nopti"


def loads(image, opts, words):
    """What GRUB loads. With stay=1 Linux runs a shell, otherwise the script."""
    words = words.replace("stay=1", "") if "stay=1" in words else f"{words} gh.test=inspector panic=-1 oops=panic"
    return mkiso.glasshouse(opts, mkiso.KERNEL, f"{mkiso.CMDLINE} {bochs.LINUX_QUICK} {words}", image)


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def keys(output):
    """{key: answer}: where gate and entry are, and the handler, from the running guest; how the gate was changed: from the seed."""
    found = dict(re.findall(r"^key ([\w-]+) = (.*)$", output.log, re.M))
    return {**found, "how": choice(output.seed)[1]} if found else {}
