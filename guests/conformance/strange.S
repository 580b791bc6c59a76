/* SPDX-License-Identifier: MIT */
/*
 * The first code of another CPU, copied to a page below 64 KiB: in real mode, with a DS of 4 GiB
 * ("unreal mode"), it executes an instruction that is not emulated where real mode is.
 */
	.text
	.code16
	.globl strange_start, strange_end
strange_start:
	cli
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %ecx
	shll $4, %ecx
	addl %ecx, strange_pointer + 2 - strange_start
	lgdtl strange_pointer - strange_start
	movl %cr0, %eax
	orb $1, %al		/* PE */
	movl %eax, %cr0
	movw $8, %cx
	movw %cx, %ds
	andb $0xfe, %al
	movl %eax, %cr0
	xorw %cx, %cx
	movw %cx, %ds
	movl $0x1000000, %ebx
	fxsave (%ebx)
1:	hlt
	jmp 1b

	.balign 8
strange_gdt:
	.quad 0, 0x00cf93000000ffff
strange_pointer:
	.word 15
	.long strange_gdt - strange_start
strange_end:

	.section .note.GNU-stack, "", @progbits
