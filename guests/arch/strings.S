/* SPDX-License-Identifier: MIT */
/*
 * INS and OUTS in 32-bit protected mode, with several segments in ES. on_gp (modes.S) counts #GP.
 */
#include "guests/arch/arch.h"

#define KBC	 0x64
#define WRITABLE CODE_TASK16
#define READONLY DATA_TASK16

	/* Execute an instruction that must cause #GP; store the count of #GP in the next result. */
	.macro FAULTS instruction:vararg
	movl $1f, resume
	\instruction
1:	movl faults, %eax
	movl %eax, (%ebp)
	addl $4, %ebp
	.endm

	.text
	.code32
	.globl run_strings
run_strings:
	pushl %ebp
	pushl %ebx
	lidt idt32_pointer
	movl $string_found, %ebp
	movl $KBC, %edx
	movl $WRITABLE, %eax
	movl %eax, %es
	movl $0xabcd0006, %edi
	movl $0x77770002, %ecx
	addr16 rep insb
	movl %edi, %ss:(%ebp)
	addl $4, %ebp
	movl $8, %edi
	FAULTS insb
	movl $READONLY, %eax
	movl %eax, %es
	movl $0, %edi
	FAULTS insb
	xorl %eax, %eax
	movl %eax, %es
	movl $string_buffer, %edi
	FAULTS insb
	movl $READONLY, %eax
	movl %eax, %es
	movl $7, %esi
	FAULTS es outsw
	movl $0x18, %eax
	movl %eax, %es
	popl %ebx
	popl %ebp
	ret

	.section .note.GNU-stack, "", @progbits
