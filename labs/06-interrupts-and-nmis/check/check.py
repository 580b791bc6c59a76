# SPDX-License-Identifier: MIT
"""Lab 6: its tests, what its guest does, and what the answers must be."""
import re

from labs import Test

# Events, and how C tells them (struct vcpu_event).
EVENTS = {
    "a #GP with error code 0": ".type = EVENT_EXCEPTION, .vector = 13, .has_error_code = true",
    "a #TS with error code 18h": ".type = EVENT_EXCEPTION, .vector = 10, .has_error_code = true, .error_code = 0x18",
    "a #PF with error code 6": ".type = EVENT_EXCEPTION, .vector = 14, .has_error_code = true, .error_code = 6",
    "a #UD": ".type = EVENT_EXCEPTION, .vector = 6",
    "a #DE": ".type = EVENT_EXCEPTION, .vector = 0",
    "INT3": ".type = EVENT_SOFT_EXCEPTION, .vector = 3, .insn_len = 1",
    "INT1": ".type = EVENT_PRIV_EXCEPTION, .vector = 1, .insn_len = 1",
    **{f"INT {n:x}h": f".type = EVENT_SOFT_INTR, .vector = {n}, .insn_len = 2" for n in (0x21, 0x40, 0x80, 0xf3)},
    **{f"an interrupt with vector {n:x}h": f".type = EVENT_EXT_INTR, .vector = {n}" for n in (0x31, 0x41, 0xef, 0xfd)},
}

STAT = "Let the guest of `make lab-6` run (Ctrl-T, resume), and ask the monitor when the guest has printed its plan: stat"

TESTS = [
    Test("queue_nmi", "log", "Hole 1. Count it, two at most, and post REQ_EVENT in any case.",
         "Posting is `__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL)`. Without it the run loop does not look "
         "at nmi_pending before the next entry.", "ok 1"),
    Test("deliver_nmi", "log", "Hole 2. Another event goes first; an NMI that cannot be delivered now needs an exit later.",
         "After you have delivered one, look whether nmi_pending is still not 0: the other one needs the exit, too.", "ok 2"),
    Test("vmx_nmi_allowed", "log", "Hole 3. Three bits of GUEST_INTERRUPTIBILITY_INFO must be 0, and nothing else matters.",
         "GUEST_INTR_STATE_STI, GUEST_INTR_STATE_MOV_SS, GUEST_INTR_STATE_NMI. An NMI is not maskable by IF.", "ok 3"),
    Test("vmx_enable_nmi_window", "log", "Hole 4. One of two windows, by vmx_set_cpu_based(): which, says the shadow of STI.",
         "VMWRITE to the field alone would be undone: vmx_set_cpu_based() knows what the controls are.", "ok 4"),
    Test("handle_window", "log", "Hole 5. Close both windows, call vmx_interrupt_window(), post REQ_EVENT, return 1.",
         "vmx_set_cpu_based(to_vmx(vcpu), 0, both bits). A window that stays open exits before each instruction.", "ok 5"),
    Test("vmx_inject_event", "log", "Hole 6. The lines that begin with # have the event, the field, and what must be in it.",
         "intr_types[] has the type where it belongs. Read GUEST_CR0 for real mode. An interrupt ends the two shadows, an NMI the "
         "blocking by NMI, the rest neither.", "ok 6"),
    Test("redeliver", "log", "Hole 7. Everything that the fields say about the event; nothing that they do not say.",
         "Assign a whole struct vcpu_event, so that nothing of the last event stays; then the length, if an instruction has made "
         "it, and the error code, if bit 11 is set.", "ok 7"),
    Test("vmx_complete_event", "log", "Hole 8. Only if the information is valid. Which three fields describe the interrupted event?",
         "Those of the exit's own event have names with VM_EXIT_INTR; those of the interrupted one with IDT_VECTORING. The length "
         "is shared.", "ok 8"),
    Test("vmx_set_nmi_blocking", "log", "Hole 9. One bit of GUEST_INTERRUPTIBILITY_INFO; the others stay as they are.",
         "Read, clear GUEST_INTR_STATE_NMI, set it if it is to be set, write.", "ok 9"),
    Test("vmx_block_nmis_again", "log", "Hole 10. Only if the exit was not during the delivery of an event. It uses hole 9.",
         "IDT_VECTORING_INFO_FIELD & INTR_INFO_VALID_MASK.", "ok 10"),
    Test("guest", "guest", "The guest has lost an event, or got one twice: its line says which kind.",
         "All functions have passed by themselves, so look for what they do besides: other fields, other requests.",
         "ok 1 - 10000 random cases: nothing is lost, and nothing comes twice"),
    Test("event-info", "answer", "Your event as the number that hole 6 writes to VM_ENTRY_INTR_INFO_FIELD; in hexadecimal.",
         "SDM, \"VM-Entry Controls for Event Injection\": the table of the format. In protected mode.", "event-info = 80000123"),
    Test("windows", "answer", f"{STAT}. The exits for NMI_WINDOW.",
         "Each is an NMI that had to wait for the end of another one's handler.", "windows = 123"),
    Test("violations", "answer", f"{STAT}. The exits for EPT_VIOLATION.",
         "Each is a time when the check had taken away the guest's stack.", "violations = 123"),
]


def event(seed):
    """The event of a student: its description."""
    return seed.choose("event", EVENTS, 1)[0]


def questions(seed):
    """What the student must know, besides README.md."""
    return f"Your event is {event(seed)}."


def macros(seed, _broken):
    """For seed.h: the event."""
    return {"LAB_EVENT": EVENTS[event(seed)]}


def guest_words(seed):
    """The guest's command line."""
    return f"seed={seed.number('guest', 1 << 32)} cases=10000"


# What the log says about the answers.
SECRET = re.compile(r"^key .*\n", re.M)


def keys(output):
    """{key: answer}, as the check has read and counted them."""
    return dict(re.findall(r"^key ([\w-]+) = (.*)$", output.log, re.M))
