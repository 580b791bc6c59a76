# SPDX-License-Identifier: MIT
"""What the labs' own tests need: the functions that are holes, and solutions that are wrong in one place."""
from dataclasses import dataclass


@dataclass
class Hole:
    """A function that the student writes, and the test that is the first to fail while it is a stub."""

    test: int
    file: str
    function: str


@dataclass
class Mutant:
    """A solution with one mistake: in `file`, `old` is `new`; and the test that is the first to find it."""

    test: int
    name: str
    file: str
    old: str
    new: str


HOLES = {
    1: [
        Hole(1, "vmm/vmx/adjust.c", "adjust_vmx_controls"),
        Hole(2, "vmm/vmx/adjust.c", "vmx_lock_feature_control"),
        Hole(3, "vmm/vmx/operation.c", "cpu_vmxon"),
        Hole(4, "vmm/vmx/operation.c", "vmcs_load"),
        Hole(5, "vmm/vmx/vmx_enter.inc", "vm_enter"),
        Hole(7, "vmm/vmx/operation.c", "cpu_vmxoff"),
    ],
    2: [
        Hole(1, "vmm/vmx/vmx_registers.inc", "load_guest_registers"),
        Hole(2, "vmm/vmx/vmx_registers.inc", "save_guest_registers"),
    ],
}

MUTANTS = {
    1: [
        Mutant(1, "no-default1", "vmm/vmx/adjust.c", "((min | opt) & may) | must", "((min | opt) & may) | (must & min)"),
        Mutant(1, "opt-is-missed", "vmm/vmx/adjust.c", "return min & ~may", "return (min | opt) & ~may"),
        Mutant(2, "no-lock", "vmm/vmx/adjust.c", "cap->feature_control | FEAT_CTL_LOCKED |", "cap->feature_control |"),
        Mutant(2, "forgets-lmce", "vmm/vmx/adjust.c", "value = cap->feature_control | FEAT_CTL", "value = FEAT_CTL"),
        Mutant(3, "no-vmxe", "vmm/vmx/operation.c", "	write_cr4((read_cr4() | vmx_capability.cr4_fixed0) & "
               "vmx_capability.cr4_fixed1);\n", ""),
        Mutant(4, "no-vmclear", "vmm/vmx/operation.c", "	r = vmclear(pa);", "	r = 0;"),
        Mutant(4, "clear-after-load", "vmm/vmx/operation.c", "	return vmptrld(pa);", "	return vmptrld(pa) ?: vmclear(pa);"),
        Mutant(5, "launch-first", "vmm/vmx/vmx_enter.inc", "	vmresume\n", "	vmlaunch\n	vmresume\n"),
        Mutant(6, "rax-is-lost", "vmm/vmx/vmx_enter.inc", "	vmresume\n", "	xorl %eax, %eax\n	vmresume\n"),
        Mutant(7, "no-vmclear-at-the-end", "vmm/vmx/operation.c", "	if (pa)\n		vmclear(pa);\n", "	(void)pa;\n"),
        Mutant(7, "vmxe-stays", "vmm/vmx/operation.c", "	write_cr4(read_cr4() & ~CR4_VMXE);\n", ""),
    ],
    2: [
        Mutant(1, "wrong-order", "vmm/vmx/vmx_registers.inc", "	movq RBP(%rdi), %rbp\n	movq RSI(%rdi), %rsi\n",
               "	movq RSI(%rdi), %rbp\n	movq RBP(%rdi), %rsi\n"),
        Mutant(1, "rdi-not-last", "vmm/vmx/vmx_registers.inc", "	movq R15(%rdi), %r15\n	movq RDI(%rdi), %rdi\n",
               "	movq RDI(%rdi), %rdi\n	movq R15(%rdi), %r15\n"),
        Mutant(1, "no-r15", "vmm/vmx/vmx_registers.inc", "	movq R15(%rdi), %r15\n", ""),
        Mutant(2, "rdi-lost", "vmm/vmx/vmx_registers.inc", "	popq RDI(%rdi)", "	popq %rdi"),
        Mutant(2, "wrong-pop", "vmm/vmx/vmx_registers.inc", "	popq RDI(%rdi)", "	popq RSI(%rdi)"),
        Mutant(2, "rsp-in-its-place", "vmm/vmx/vmx_registers.inc", "	movq %rbp, RBP(%rdi)\n",
               "	movq %rbp, RBP(%rdi)\n	movq %rsp, 4*8(%rdi)\n"),
    ],
}

# Those that `make test` boots; `make soak` and `make labs-selftest` boot all.
QUICK = {1: {"no-default1", "no-vmclear", "launch-first", "no-vmclear-at-the-end"}, 2: {"rdi-not-last", "wrong-pop"}}
