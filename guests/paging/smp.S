/* SPDX-License-Identifier: MIT */
/*
 * The exceptions and the interrupt of CPUs that use tables which another CPU changes.
 */
#include "guests/paging/paging.h"

#define EOI 0xfee000b0

	.text
	.code64
/* #PF: the entry will come. */
	.globl smp_page_fault, smp_shoot, smp_other
smp_page_fault:
	pushq %rax
	movq %cr2, %rax
	shrq $39, %rax
	cmpq $3, %rax		/* TEST_SLOT */
	jne 1f
	lock incq smp_faults
	popq %rax
	addq $8, %rsp
	iretq
1:	popq %rax

smp_other:
	lock incq smp_strange
2:	cli
	hlt
	jmp 2b

/* The request to forget: one address, or all. */
smp_shoot:
	pushq %rax
	movq smp_address, %rax
	testq %rax, %rax
	jz 1f
	invlpg (%rax)
	jmp 2f
1:	movq %cr3, %rax
	movq %rax, %cr3
2:	lock incl smp_acks
	movl $EOI, %eax
	movl $0, (%rax)
	popq %rax
	iretq

	.section .note.GNU-stack, "", @progbits
