/* SPDX-License-Identifier: MIT */
/*
 * Into the code under test in any ring, and back by whatever exception or interrupt ends it.
 *
 * Each CPU has a struct mcpu, aligned to its size, with its stacks inside: handlers find it by RSP.
 */
#include "guests/monkey/monkey.h"

	.text
/* struct frame *run(struct mcpu *): with m->in's registers; returns how it ended. */
	.globl run
run:
	.irp reg, rbx, rbp, r12, r13, r14, r15
	pushq %\reg
	.endr
	movq %rsp, M_SAVED(%rdi)
	pushq M_SS(%rdi)
	pushq M_RSP(%rdi)
	pushq M_RFLAGS(%rdi)
	pushq M_CS(%rdi)
	pushq M_RIP(%rdi)
	movl M_DATA(%rdi), %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	.set offset, 0
	.irp reg, r15, r14, r13, r12, r11, r10, r9, r8, _, rsi, rbp, rbx, rdx, rcx, rax
	.ifnc \reg, _
	movq offset(%rdi), %\reg
	.endif
	.set offset, offset + 8
	.endr
	movq 64(%rdi), %rdi
	iretq

	.macro STUB vector
	.balign 16
	.if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21)
	pushq $0
	.endif
	pushq $\vector
	jmp ended
	.endm

	.balign 16
	.globl stubs
stubs:
	.altmacro
	.set number, 0
	.rept 256
	STUB %number
	.set number, number + 1
	.endr
	.noaltmacro

ended:
	pushq %rax
	movq %rsp, %rax
	andq $-M_SIZE, %rax
	cmpq $0, M_STREAM(%rax)
	jne 3f
ended_code:
	.irp reg, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pushq %\reg
	.endr
	cld
	movq %rsp, %rax
	movq %rsp, %rdi
	andq $-M_SIZE, %rdi
	movl $0x18, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	cmpq $0, M_SAVED(%rdi)
	je 1f
	movq M_SAVED(%rdi), %rsp
	movq $0, M_SAVED(%rdi)
	.irp reg, r15, r14, r13, r12, rbp, rbx
	popq %\reg
	.endr
	ret
/* Not while code under test ran: a breakpoint that it has left behind, or a mistake of the monkey's. */
1:	cmpq $1, 15*8(%rsp)
	jne 2f
	orq $0x10000, 19*8(%rsp)
	.irp reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	popq %\reg
	.endr
	addq $16, %rsp
	iretq
2:	movq %rax, %rdi
	andq $-16, %rsp
	call lost
/* In a stream: single-steps go on, faults with the next slot. Its end, and what is not its own, end it. */
3:	cmpl $END_VECTOR, 8(%rsp)
	je ended_code
	cmpl $1, 8(%rsp)
	je 4f
	movq M_STREAM(%rax), %rax
	xorq 24(%rsp), %rax
	andq $-4096, %rax
	jne ended_code
	orq $SLOT - 1, 24(%rsp)
	incq 24(%rsp)
4:	popq %rax
	addq $16, %rsp
	iretq

/* Counted, and on a stack of its own. */
	.globl on_nmi
on_nmi:
	pushq %rax
	movq %rsp, %rax
	andq $-M_SIZE, %rax
	incq M_NMIS(%rax)
	popq %rax
	iretq

/* Where SYSCALL leads. */
	.globl on_syscall
on_syscall:
	int3

	.section .note.GNU-stack, "", @progbits
