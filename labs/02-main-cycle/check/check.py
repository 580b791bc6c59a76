# SPDX-License-Identifier: MIT
"""Lab 2: its tests, which questions it asks, and what the answers must be."""
import re
import subprocess

from labs import ROOT, Test

LINUX = ("2.6.33", "3.18")
# Exit reasons whose handlers KVM has, too.
REASONS = ("EXCEPTION_NMI", "TRIPLE_FAULT", "NMI_WINDOW", "TASK_SWITCH", "CPUID", "VMCALL", "CR_ACCESS", "IO_INSTRUCTION",
           "MSR_READ", "MSR_WRITE", "EPT_VIOLATION", "EPT_MISCONFIG")

STEPS = "In the monitor of `make lab-2` (Ctrl-T), `cycle steps` lists every step: function, file and line, KVM's names, SDM."

TESTS = [
    Test("load_guest_registers", "log",
         "Hole 1. RDI holds the address that all the others are loaded from.",
         "15 times movq, from RAX(%rdi) to %rax and so on: RAX(%rdi) is the place of RAX in regs[]. RDI comes last.",
         "ok 1"),
    Test("save_guest_registers", "log",
         "Hole 2. One register must be free to hold the address: save its value on the stack first.",
         "pushq %rdi; the address is at 8(%rsp) then; save 14 registers by it; what is on the stack goes to RDI's place: popq "
         "has a form with a place in memory.",
         "ok 2"),
    Test("guest", "guest",
         "The guest sets all registers to random values, exits, and compares them. Which register does it name?",
         "Tests 1 and 2 have passed, so look for what the macros do besides: RSP, the stack, the memory behind regs[].",
         "ok 1 - 1000 exits with random registers: all survive"),
    Test("loop", "answer", f"The function with the loop of entries and exits. {STEPS}",
         "The step is called loop. docs/walkthrough.md begins with this question.", "loop = a_function"),
    Test("loop-in-kvm", "answer", f"The function of your Linux that has this loop. {STEPS}",
         "The columns are 2.6.33, 3.18, 6.1.", "loop-in-kvm = a_function"),
    Test("enter", "answer", f"File and line of the VMRESUME in your build. {STEPS}",
         "The step is called vmresume. The marker stands in the line before the instruction; the answer is the marker's line: "
         "path/file:line.", "enter = vmm/file.c:12"),
    Test("arrive", "answer", "The symbol at which Glasshouse goes on after an exit: the VMCS has its address in HOST_RIP.",
         "`vmcs host_rip` in the monitor, and `nm build/labs/02-main-cycle/own/glasshouse.elf | grep` the address. The tracer of "
         "`cycle` uses another label for a while: ask before you have used it.", "arrive = a_symbol"),
    Test("handler", "answer", "The function that handles your exit reason: look for the table of handlers in vmm/vmx/exits.c.",
         "vmx_exit_handlers[EXIT_REASON_...].", "handler = a_function"),
    Test("handler-in-kvm", "answer", f"The function of your Linux that handles your exit reason. {STEPS}",
         "The row whose function is your handler.", "handler-in-kvm = a_function"),
]


def choice(seed):
    """The exit reason and the Linux of a student."""
    return seed.choose("reason", REASONS, 1)[0], seed.choose("linux", LINUX, 1)[0]


def questions(seed):
    """What the student must know, besides README.md."""
    reason, linux = choice(seed)
    return f"Your exit reason is {reason}, your Linux is {linux}."


def macros(_seed, _broken):
    """For seed.h: nothing more."""
    return {}


def guest_words(seed):
    """The guest's command line."""
    return f"seed={seed.number('guest', 1 << 32)}"


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def handler_of(image, reason):
    """The function in the image's table of exit handlers."""
    number = int(re.search(rf"EXIT_REASON\({reason}, (\d+)\)", (ROOT / "vmm/vmx/exit_reasons.def").read_text())[1])
    names = subprocess.run(["nm", image], capture_output=True, text=True, check=True).stdout
    table = int(re.search(r"^(\w+) \w vmx_exit_handlers$", names, re.M)[1], 16) + 8 * number
    dump = subprocess.run(["objdump", "-s", f"--start-address={table:#x}", f"--stop-address={table + 8:#x}", image],
                          capture_output=True, text=True, check=True).stdout
    words = re.search(rf"^ {table:x} ([0-9a-f]{{8}}) ([0-9a-f]{{8}}) ", dump, re.M)
    address = int.from_bytes(bytes.fromhex(words[1] + words[2]), "little")
    return re.search(rf"^{address:016x} \w (\w+)$", names, re.M)[1]


def keys(output):
    """{key: answer}, from the markers and the VMCS of the running binary, and its table of handlers."""
    rows = [line.split(" | ") for line in re.findall(r"^key marker (.*)$", output.log, re.M)]
    arrive = re.search(r"^key host-rip = (\w+)$", output.log, re.M)
    if not rows or not arrive:
        return {}
    reason, linux = choice(output.seed)
    steps = {row[0]: row for row in rows}
    column = 3 + LINUX.index(linux)
    handler = handler_of(output.image, reason)
    in_kvm = [row[column] for row in rows if row[1] == handler]
    return {"loop": steps["loop"][1], "loop-in-kvm": steps["loop"][column], "enter": steps["vmresume"][2],
            "arrive": arrive[1], "handler": handler, "handler-in-kvm": in_kvm[0]}
