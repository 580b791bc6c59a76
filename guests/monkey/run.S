/* SPDX-License-Identifier: MIT */
/*
 * Runs code in any ring until an exception or interrupt ends it.
 *
 * The stacks of each CPU are in its struct mcpu, which is aligned to its size, so that the handlers
 * find it from RSP.
 */
#include "guests/monkey/monkey.h"

	.text
/* struct frame *run(struct mcpu *m) runs the code that m describes. Returns how it ended. */
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
/* No code under test was running: #DB of a breakpoint that it has set, which is ignored, or a defect. */
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
	call unexpected_exception
/* In a stream: after a single-step continue, after a fault continue with the next slot. INT3, and an
 * exception outside of the stream's page, end it. */
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

/* The NMI handler, on its own stack, counts NMIs. */
	.globl on_nmi
on_nmi:
	pushq %rax
	movq %rsp, %rax
	andq $-M_SIZE, %rax
	incq M_NMIS(%rax)
	popq %rax
	iretq

/* The target of SYSCALL and SYSENTER. */
	.globl on_syscall
on_syscall:
	int3

	.section .note.GNU-stack, "", @progbits
