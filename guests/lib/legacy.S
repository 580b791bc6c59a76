/* SPDX-License-Identifier: MIT */
/*
 * void legacy_call(void (*code32)(void)) leaves long mode, calls code32 in 32-bit protected mode
 * without paging, on the same stack, and returns to long mode. It loads legacy_gdt: flat code at
 * 20h, flat data at 18h, other descriptors by the caller. When code32 returns, the mode must be the
 * same as at its call. No NMI may arrive meanwhile.
 */
#include "arch/x86/layout.h"

#define CODE64 0x10
#define DATA   0x18
#define CODE32 0x20
#define EFER   0xc0000080

	.text
	.globl legacy_call
legacy_call:
	.irp reg, rbx, rbp, r12, r13, r14, r15
	pushq %\reg
	.endr
	sgdt saved_gdt
	sidt saved_idt
	movq %rsp, saved_rsp
	movl %edi, %ebx
	lgdt legacy_gdt_pointer
	pushq $CODE32
	pushq $1f
	lretq

	.code32
1:	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $EFER, %ecx
	rdmsr
	andl $~0x100, %eax
	wrmsr
	call *%ebx
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	ljmpl $CODE64, $2f

	.code64
2:	movq saved_rsp, %rsp
	lgdt saved_gdt
	lidt saved_idt
	.irp reg, r15, r14, r13, r12, rbp, rbx
	popq %\reg
	.endr
	ret

	.data
	.balign 8
	.globl legacy_gdt
legacy_gdt:
	.quad 0, 0
	.quad DESC_CODE64
	.quad DESC_DATA
	.quad DESC_CODE32
	.fill 27, 8
legacy_gdt_pointer:
	.word . - legacy_gdt - 1
	.quad legacy_gdt
saved_gdt:
	.fill 10
saved_idt:
	.fill 10
	.balign 8
saved_rsp:
	.quad 0

	.section .note.GNU-stack, "", @progbits
