/* SPDX-License-Identifier: MIT */
/*
 * Enters the kernel, in 32-bit protected mode, with EAX and EBX as multiboot 2 defines them.
 * Multiboot2 Specification: "I386 machine state".
 */
	.text
	.code32
	.globl liar_enter
liar_enter:
	movl $0x36d76289, %eax
	movl liar_info, %ebx
	jmp *liar_entry

	.section .note.GNU-stack, "", @progbits
