/* SPDX-License-Identifier: MIT */
/*
 * pio_as_guest() of VM 0, with notes in seen[] instead of the accesses: which one it is, and the registers that an SMI
 * would find, in the order of enum vcpu_reg.
 */
	.macro note number
	movl $\number, kind_seen(%rip)
	call note_registers
	.endm

	.macro outb from, to
	note 0
	.endm
	.macro outw from, to
	note 1
	.endm
	.macro outl from, to
	note 2
	.endm
	.macro inb from, to
	note 3
	movb $0x5a, %al
	.endm
	.macro inw from, to
	note 4
	movw $0x5a5b, %ax
	.endm
	.macro inl from, to
	note 5
	movl $0x5a5b5c5d, %eax
	.endm

	.text
note_registers:
	.set at, 0
	.irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	movq %\reg, seen+at(%rip)
	.set at, at + 8
	.endr
	ret

#include "vmm/vm0/pio.S"
