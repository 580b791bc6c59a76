/* SPDX-License-Identifier: MIT */
/*
 * The last instructions of Glasshouse on a CPU that it leaves. They run from a copy, in a page that both
 * address spaces map at the same address.
 *
 * RDI: struct native_state, in the same page, so that it is still mapped after the switch. Steps:
 *   1. load the guest's page tables;
 *   2. load EFER, the descriptor tables, the data segments and their bases;
 *   3. load DR7, and CR4 with the bits that native_resume() left out;
 *   4. load all general registers; IRETQ loads CS, SS, RSP, RFLAGS, RIP and unblocks NMIs.
 */
#include "arch/x86/load_msr.inc"
#include "arch/x86/native.h"

	.section .rodata, "a"
	.globl native_entry, native_entry_end
native_entry:
	endbr64
	movq NATIVE_CR3(%rdi), %rax
	movq %rax, %cr3

	load_msr MSR_EFER, NATIVE_EFER
	lgdt NATIVE_GDTR(%rdi)
	lidt NATIVE_IDTR(%rdi)
	lldt NATIVE_SELECTORS(%rdi)
	movw NATIVE_SELECTORS+2(%rdi), %ds
	movw NATIVE_SELECTORS+4(%rdi), %es
	movw NATIVE_SELECTORS+6(%rdi), %fs
	movw NATIVE_SELECTORS+8(%rdi), %gs
	load_msr MSR_FS_BASE, NATIVE_FS_BASE
	load_msr MSR_GS_BASE, NATIVE_GS_BASE

	movq NATIVE_DR7(%rdi), %rax
	movq %rax, %db7
	movq NATIVE_CR4(%rdi), %rax
	movq %rax, %cr4

	leaq NATIVE_FRAME(%rdi), %rsp
	movq 0*8(%rdi), %rax
	movq 1*8(%rdi), %rcx
	movq 2*8(%rdi), %rdx
	movq 3*8(%rdi), %rbx
	movq 5*8(%rdi), %rbp
	movq 6*8(%rdi), %rsi
	movq 8*8(%rdi), %r8
	movq 9*8(%rdi), %r9
	movq 10*8(%rdi), %r10
	movq 11*8(%rdi), %r11
	movq 12*8(%rdi), %r12
	movq 13*8(%rdi), %r13
	movq 14*8(%rdi), %r14
	movq 15*8(%rdi), %r15
	movq 7*8(%rdi), %rdi
	iretq
native_entry_end:

	.section .note.GNU-stack, "", @progbits
