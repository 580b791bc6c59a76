/* SPDX-License-Identifier: MIT */
/*
 * lift_firmware_limits, with functions of test_firmware_limits.c instead of the three instructions.
 */
	/* Calls \function(EAX, ECX, EDX), and takes the registers that it leaves in regs: EAX, EBX, ECX, EDX. */
	.macro instead function
	movl %eax, %edi
	movl %ecx, %esi
	call \function
	movl regs(%rip), %eax
	movl regs+4(%rip), %ebx
	movl regs+8(%rip), %ecx
	movl regs+12(%rip), %edx
	.endm

	.macro cpuid
	instead fake_cpuid
	.endm
	.macro rdmsr
	instead fake_rdmsr
	.endm
	.macro wrmsr
	instead fake_wrmsr
	.endm

#include "arch/x86/long_mode.inc"

	.text
/* bool lift_limits(void) returns true if the CPU has XD. */
	.globl lift_limits
lift_limits:
	pushq %rbx
	lift_firmware_limits
	setc %al
	movzbl %al, %eax
	popq %rbx
	ret

	.section .note.GNU-stack, "", @progbits
