/* SPDX-License-Identifier: MIT */
/*
 * The entry points of the IDT's 256 gates, and the call to C.
 *
 * The CPU switches to the vector's IST stack (if any), pushes SS, RSP, RFLAGS, CS, RIP and, for some
 * vectors, an error code. Steps:
 *   1. push 0 if the CPU pushed no error code, then the vector;
 *   2. save all general registers (struct trap_frame in trap.h);
 *   3. call trap_handler(frame), restore the registers, IRETQ. No SWAPGS: in root mode GS.base is always
 *      Glasshouse's.
 */
	.text
	.balign 16
	.globl trap_gates
trap_gates:
	vector = 0
	.rept 256
	.balign 16
	.if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	vector = vector + 1
	.endr

trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	call trap_handler
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
