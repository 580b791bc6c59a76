/* SPDX-License-Identifier: MIT */
/*
 * Enters the kernel, in 32-bit protected mode, with EAX and EBX as multiboot 2 defines them, and with what
 * a test wants to be left on in CR0, CR4 and EFLAGS. Multiboot2 Specification: "I386 machine state".
 */
	.text
	.code32
	.globl liar_enter
liar_enter:
	movl %cr0, %eax
	orl liar_cr0, %eax
	movl %eax, %cr0
	movl %cr4, %eax
	orl liar_cr4, %eax
	movl %eax, %cr4
	pushl liar_eflags
	popfl
	movl $0x36d76289, %eax
	movl liar_info, %ebx
	notrack jmp *liar_entry

	.section .note.GNU-stack, "", @progbits
