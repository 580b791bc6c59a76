/* SPDX-License-Identifier: MIT */
/*
 * The last step of the loader that lies, in 32-bit protected mode. Multiboot2 Specification:
 * "I386 machine state".
 */
	.text
	.code32
	.globl liar_enter
liar_enter:
	movl $0x36d76289, %eax
	movl liar_info, %ebx
	jmp *liar_entry

	.section .note.GNU-stack, "", @progbits
