/* SPDX-License-Identifier: MIT */
/*
 * Accesses whose outcome is recorded, in 64-bit mode. Each ends in an exception: its own, or INT3.
 */
#include "guests/paging/paging.h"

#define DATA 0x18

	.text
	.code64

/* void probe_access(unsigned kind, u64 va, struct probe *probe) */
	.globl probe_access
probe_access:
	.irp reg, rbx, rbp, r12, r13, r14, r15
	pushq %\reg
	.endr
	pushfq
	pushq %rdx
	movq %rsp, probe_rsp
	lidt probe_idt_pointer
	movl %edi, %ecx
	andl $3, %ecx
	testl $KIND_USER, %edi
	jnz 1f
	testl $KIND_AC, %edi
	jz 2f
	pushfq
	orl $0x40000, (%rsp)
	popfq
2:	jmp *kernel_access(, %rcx, 8)

1:	shll $4, %ecx
	movabsq $USER_STUB, %rax
	addq %rax, %rcx
	movl %edi, %eax
	andl $KIND_AC, %eax
	shll $15, %eax		/* bit 3 to bit 18: AC */
	orl $2, %eax
	pushq $USER_DATA
	pushq $0
	pushq %rax
	pushq $USER_CODE
	pushq %rcx
	iretq

kernel_read:
	movzbl (%rsi), %eax
	int3
kernel_write:
	movb $MARK, (%rsi)
	int3
kernel_fetch:
	jmp *%rsi

/* The same for CPL 3, 16 bytes each: copied to a page of their own. */
	.globl probe_user, probe_user_end
probe_user:
	movzbl (%rsi), %eax
	int3
	.org probe_user + 16
	movb $MARK, (%rsi)
	int3
	.org probe_user + 32
	jmp *%rsi
probe_user_end:

/* The first 32 exceptions: the vector and the error code, 0 where the CPU has none. */
	.globl probe_stubs
	.balign 16
probe_stubs:
#include "guests/paging/stubs.inc"

probe_end:
	popq %rcx		/* vector */
	popq %rbx		/* error code */
	popq %rdx		/* RIP */
	movl $DATA, %esi
	movl %esi, %ss
	movq probe_rsp, %rsp
	popq %rdi
	movl %ecx, PROBE_VECTOR(%rdi)
	movl %ebx, PROBE_ERROR(%rdi)
	movl %eax, PROBE_DATA(%rdi)
	movq %rdx, PROBE_RIP(%rdi)
	movq %cr2, %rcx
	movq %rcx, PROBE_CR2(%rdi)
	popfq
	lidt probe_saved_idt
	.irp reg, r15, r14, r13, r12, rbp, rbx
	popq %\reg
	.endr
	ret

	.section .rodata
	.balign 8
kernel_access:
	.quad kernel_read, kernel_write, kernel_fetch

	.bss
	.balign 8
probe_rsp:
	.quad 0
	.globl probe_idt_pointer, probe_saved_idt
probe_idt_pointer:
	.fill 16
probe_saved_idt:
	.fill 16

	.section .note.GNU-stack, "", @progbits
