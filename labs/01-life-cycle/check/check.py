# SPDX-License-Identifier: MIT
"""Lab 1: its tests, which of the VMCSs are broken, and what the answers must be."""
import re

from labs import Test

# The fields of which three are broken, and the bits that are flipped. Each breaks one rule. Their values do not depend on
# where memory was allocated, nor on whether there is a monitor: the answers must be the same in `make lab-1`.
FIELDS = {
    "CPU_BASED_VM_EXEC_CONTROL": 2,
    "SECONDARY_VM_EXEC_CONTROL": 1 << 29,
    "CR3_TARGET_COUNT": 0x100,
    "VIRTUAL_PROCESSOR_ID": 1,
    "VM_ENTRY_INTR_INFO_FIELD": 0x80000100,
    "HOST_CS_SELECTOR": 3,
    "HOST_SS_SELECTOR": 4,
    "HOST_TR_SELECTOR": 4,
    "HOST_CR0": 0x20,
    "HOST_CR4": 0x2000,
    "HOST_IA32_PAT": 4,
    "HOST_IA32_EFER": 0x200,
    "GUEST_RFLAGS": 2,
    "GUEST_GDTR_LIMIT": 0x10000,
    "GUEST_ACTIVITY_STATE": 5,
    "GUEST_INTERRUPTIBILITY_INFO": 0x100,
    "VMCS_LINK_POINTER": 0x7ff,
}

BROKEN = Test("", "answer",
              "Boot it with `make lab-1 BROKEN=N`, and ask the monitor (Ctrl-T): vmcs check names the rule and the field. The "
              "value is the one that `make lab-1`, without BROKEN, shows at the same place.",
              "In the monitor: `vmcs check`, then `vmcs FIELD`. The answer is the field's name, a space, the value without "
              "0x and without leading zeros. Both boots need the same SEED.",
              "broken-N = GUEST_CR3 12345000")

TESTS = [
    Test("adjust_vmx_controls", "log",
         "Hole 1. Two things: of min and opt keep the bits that may be 1; then add all bits that must be 1.",
         "The low half of the capability has the bits that must be 1, the high half those that may be 1. Bits that must be "
         "1 are set even if nobody asks for them. Only a bit of min that may not be 1 is an error.",
         "ok 1"),
    Test("vmx_lock_feature_control", "log",
         "Hole 2. One WRMSR with all bits; if the CPU refuses it and there were bits of SGX in it, a second one without them.",
         "Start from cap->feature_control, add FEAT_CTL_LOCKED and FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX, and, if sgx, "
         "FEAT_CTL_SGX_ENABLED; if sgx and sgx_lc, FEAT_CTL_SGX_LC_ENABLED, too. cap->feature_control becomes what the "
         "successful call of wrmsr_safe wrote.",
         "ok 2"),
    Test("cpu_vmxon", "log",
         "Hole 3. VMXON is #UD while CR4.VMXE is 0, and #GP unless CR0 and CR4 have the fixed bits.",
         "write_cr0((read_cr0() | what is fixed to 1) & what may be 1); the same for CR4; then vmxon(), with the address "
         "that you were given. The SDM lists the conditions in \"VMXON—Enter VMX Operation\".",
         "ok 3"),
    Test("vmcs_load", "log",
         "Hole 4. Two instructions, in this order: the one that makes the launch state clear, the one that makes it current.",
         "A VMCS that has never been cleared may be anything: VMPTRLD alone does not initialise its launch state. SDM: "
         "\"Software Use of Virtual-Machine Control Structures\".",
         "ok 4"),
    Test("vm_enter", "log",
         "Hole 5. VMRESUME first. When it fails, because the VMCS has not been launched, execution goes on behind it.",
         "At the very first entry VMRESUME fails with VM-instruction error 5, and VMLAUNCH behind it succeeds. From then on "
         "VMRESUME succeeds. If VMLAUNCH stands first, it fails at each entry but the first, with error 4.",
         "ok 5"),
    Test("guest", "guest",
         "The guest must come to its end: look at its lines, and at the last lines of Glasshouse's log.",
         "Test 5 has passed, so the guest was entered. Does vm_enter change a register? All are the guest's there.",
         "ok 1 - CPUID tells the guest that it runs under Glasshouse"),
    Test("cpu_vmxoff", "log",
         "Hole 6. VMCLEAR, VMXOFF, then CR4.VMXE, in this order.",
         "CR4.VMXE cannot be cleared in VMX operation: #GP. VMCLEAR is only possible in it. A CPU may keep parts of a "
         "VMCS in itself: only VMCLEAR writes them to memory. pa is 0 if there is no VMCS.",
         "ok 7"),
    *(Test(f"broken-{n}", BROKEN.by, BROKEN.hint.replace("=N", f"={n}"), BROKEN.more, BROKEN.expected.replace("-N", f"-{n}"))
      for n in (1, 2, 3)),
]


def questions(_seed):
    """What the student must know, besides README.md: nothing."""
    return ""


def macros(seed, broken):
    """For seed.h: the fields that are broken; and which VMCS is to stay broken, 1 to 3, or 0."""
    chosen = seed.choose("broken", FIELDS, 3)
    return {"LAB_BROKEN_FIELDS": ", ".join(f'{{"{name}", {FIELDS[name]:#x}ull}}' for name in chosen),
            "LAB_BROKEN": str(broken)}


def guest_words(_seed):
    """The guest's command line."""
    return ""


# What the log says about the answers: each value, and the report of `vmcs check`.
SECRET = re.compile(r"^key (broken-\d+) = (\w+)\n((?:  broken: .*\n)*)", re.M)


def keys(output):
    """{key: answer}, as the log of the running binary has them. A VMCS that breaks more than one rule is not ours."""
    reports = [(key, value, re.findall(r": (\w+) is \w+$", report, re.M)) for key, value, report in SECRET.findall(output.log)]
    return {key: f"{fields[0]} {value}" for key, value, fields in reports if len(fields) == 1}
