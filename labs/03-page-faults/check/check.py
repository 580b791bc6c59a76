# SPDX-License-Identifier: MIT
"""Lab 3: its tests, what its guest does, and what the answers must be."""
import re
import subprocess

from labs import Test

# The check boots twice: then without EPT, where all page faults of the guest exit.
WITHOUT = "ept-off"
BOOTS = {"": "", WITHOUT: "ept=off"}

LINUX = ("2.6.33", "3.18", "6.1")
# Steps of both roads, one of which is asked for.
STEPS = ("handle_exception", "is_page_fault", "handle_ept_violation", "reflect_page_fault", "vm0_page_fault", "shadow_page_fault")
# Filters of page faults: mask and match of the error code. Of the guest's faults each lets some exit.
FILTERS = ((1, 0), (1, 1), (2, 0), (2, 2), (16, 0), (16, 16), (8, 8), (3, 0), (3, 1), (3, 3))

LIST = "In the monitor of `make lab-3` (Ctrl-T), `cycle steps` lists every step: function, file and line, KVM's names, SDM."
COUNT = "Let the guest of `make lab-3` run (Ctrl-T, resume), and ask the monitor when the guest has printed its plan"

TESTS = [
    Test("is_page_fault", "log",
         "Hole 1. Two fields of the word must be right: the type and the vector.",
         "(intr_info & (INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)) == (INTR_TYPE_HARD_EXCEPTION | PF_VECTOR). The other "
         "bits of the word may be 0 or 1.", "ok 1"),
    Test("ept_violation_fault", "log",
         "Hole 2. The line that begins with # has the exit qualification. table depends on two bits of it.",
         "table: (qual & (A | B)) == A, where A is EPT_VIOLATION_GVA_IS_VALID and B EPT_VIOLATION_GVA_TRANSLATED. Reads have no "
         "field: they are what is neither a write nor a fetch.", "ok 2"),
    Test("vmx_load_exceptions", "log",
         "Hole 3. The line that begins with # has what the users want (bit n: user n), and what the VMCS has now.",
         "Collect three words in one loop: the vectors of all users, of all but EXCEPTIONS_ICEPT, of all but EXCEPTIONS_SHADOW. "
         "Somebody is the only user of page faults if bit 14 is 1 in the first word and 0 in that without him.", "ok 3"),
    Test("reflect_exception", "log",
         "Hole 4. The line that begins with # has the exception, and what has become of it.",
         "CR2 for #PF only; RF for faults: EVENT_EXCEPTION but for #DB; then queue_event() with all five values of the exception.",
         "ok 4"),
    Test("none-exits", "log",
         "The guest faults, and nobody wants to see it: no exit. Which bits make a page fault exit?",
         "With mask and match both 0, bit 14 of the exception bitmap decides. With a mask that does not match, it is inverted.",
         "ok 5"),
    Test("all-exit", "log", "Each page fault exits, and each goes back to the guest.",
         "Test 4 has passed: look at the guest's lines, on the screen or in the output of `make lab-3`.", "ok 6"),
    Test("some-exit", "log", "Only those exit whose error code matches: mask and match in the VMCS.",
         "PAGE_FAULT_ERROR_CODE_MASK and PAGE_FAULT_ERROR_CODE_MATCH must be written at each call, also when the bitmap stays as "
         "it is: only the filter may have changed.", "ok 7"),
    Test("first-touches", "log", "Each first touch of a GiB exits once by an EPT violation, and no page fault does.",
         "The second-level tables do not concern the guest's own: it gets no #PF for these.", "ok 8"),
    Test("guest", "guest", "The guest compares CR2 and error code with what it has done: which of its lines says not ok?",
         "The line that begins with # has the access, and what came: vector, CR2, error code, saved RFLAGS.",
         "ok 1 - 100 page faults, which do not exit"),
    Test("without-ept", "log",
         "The second boot, with ept=off. All page faults exit; those that are the guest's own must be reflected, and no others.",
         "`make lab-3 BOOT=ept-off` boots it on this terminal. EXCEPTIONS_SHADOW wants all page faults there: no filter applies.",
         "ok 10", WITHOUT),
    Test("guest-without-ept", "guest", "The same guest with ept=off: which of its lines says not ok?",
         "The guest must not notice whether EPT is in use. `make lab-3 BOOT=ept-off` boots it on this terminal.",
         "ok 1 - 100 page faults, which do not exit", WITHOUT),
    Test("common_place", "answer",
         "The one function that both roads come to. `cycle pf` in the monitor of `make lab-3` tells both, step by step: type a t to "
         "the guest first, when it has printed its plan.",
         "Compare the two tables that `cycle pf` prints: after which step do both have the same function?",
         "common_place = a_function"),
    Test("step-at", "answer", f"File and line of your step. {LIST}",
         "The answer is the marker's line: path/file:line.", "step-at = vmm/file.c:12"),
    Test("step-in-kvm", "answer", f"The function of your Linux that does your step. {LIST}",
         "The columns are 2.6.33, 3.18, 6.1.", "step-in-kvm = a_function"),
    Test("pf-exits", "answer", f"{COUNT}: icept shows how often each exception has exited.",
         "The number in the line of exception 14, pf.", "pf-exits = 123"),
    Test("ept-violations", "answer", f"{COUNT}: stat.", "The number of exits by EPT_VIOLATION.", "ept-violations = 5"),
    Test("reflected", "answer", f"The same with `make lab-3 BOOT=ept-off`. {COUNT}: stat.",
         "The line \"page faults that exit\": how many were reflected?", "reflected = 123"),
]


def choice(seed):
    """The step and the Linux of a student."""
    return seed.choose("step", STEPS, 1)[0], seed.choose("linux", LINUX, 1)[0]


def pf_filter(seed):
    """The filter of a student: mask and match."""
    return seed.choose("filter", FILTERS, 1)[0]


def questions(seed):
    """What the student must know, besides README.md."""
    step, linux = choice(seed)
    return f"Your step is {step}, your Linux is {linux}."


def macros(seed, _broken):
    """For seed.h: the filter."""
    mask, match = pf_filter(seed)
    return {"LAB_PF_MASK": mask, "LAB_PF_MATCH": match}


def guest_words(seed):
    """The guest's command line."""
    mask, match = pf_filter(seed)
    return (f"seed={seed.number('guest', 1 << 32)} faults={100 + seed.number('faults', 100)} mask={mask} match={match} "
            f"touches={3 + seed.number('touches', 30)}")


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def calls(image):
    """{function: the functions that it calls, or jumps to}, by the machine code of the image."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", image], capture_output=True, text=True, check=True).stdout
    found, function = {}, None
    for line in code.splitlines():
        if start := re.match(r"[0-9a-f]+ <([\w.]+)>:$", line):
            function = found.setdefault(start[1], [])
        elif function is not None and (target := re.search(r"\t(?:call|j\w+) +[0-9a-f]+ <([\w.]+)>$", line)):
            function.append(target[1])
    return found


def distances(graph, start):
    """{function: by how many calls it is reached from `start`}."""
    seen, new = {start: 0}, [start]
    while new:
        function = new.pop(0)
        for called in graph.get(function, ()):
            if called not in seen:
                seen[called] = seen[function] + 1
                new.append(called)
    return seen


def common_place(image, steps):
    """The function of a marker that both roads come to by the fewest calls."""
    graph = calls(image)
    one, two = (distances(graph, steps[name][1]) for name in ("is_page_fault", "handle_ept_violation"))
    common = {row[1] for row in steps.values() if row[1] in one and row[1] in two}
    return min(common, key=lambda function: (one[function] + two[function], function))


def keys(output):
    """{key: answer}, from the markers and the code of the running binary, and from the counts of both boots."""
    first, second = (dict(re.findall(r"^key (\w+) = (\d+)$", this.log, re.M)) for this in (output, output.of(WITHOUT)))
    rows = [line.split(" | ") for line in re.findall(r"^key marker (.*)$", output.log, re.M)]
    if not rows or not first:
        return {}
    steps = {row[0]: row for row in rows}
    step, linux = choice(output.seed)
    found = {"common_place": common_place(output.image, steps), "step-at": steps[step][2],
             "step-in-kvm": steps[step][3 + LINUX.index(linux)], "pf-exits": first["faults"],
             "ept-violations": first["violations"]}
    return {**found, "reflected": second["reflected"]} if second else found
