/* SPDX-License-Identifier: MIT */
/*
 * void pio_as_guest(u64 *regs, u64 kind): one IN or OUT with the general registers of @regs, in the order of enum
 * vcpu_reg; RSP stays ours. AL, AX or EAX that IN reads is in regs[0] afterwards. An SMI that the access causes finds
 * these registers, which its handler may read as arguments. @kind: see pio_kind() in ports.c.
 */
	.text
	.globl pio_as_guest
pio_as_guest:
	.irp reg, rbx, rbp, r12, r13, r14, r15, rdi
	pushq %\reg
	.endr
	leaq 1f(%rip), %rax
	pushq %rax
	pushq kinds(,%rsi,8)
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
	ret			/* to the access, which returns to 1 */
1:	popq %rdi
	movq %rax, (%rdi)
	.irp reg, r15, r14, r13, r12, rbp, rbx
	popq %\reg
	.endr
	ret

out8:	outb %al, %dx
	ret
out16:	outw %ax, %dx
	ret
out32:	outl %eax, %dx
	ret
in8:	inb %dx, %al
	ret
in16:	inw %dx, %ax
	ret
in32:	inl %dx, %eax
	ret

	.section .rodata
	.balign 8
kinds:	.quad out8, out16, out32, in8, in16, in32

	.section .note.GNU-stack, "", @progbits
