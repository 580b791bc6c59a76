/* SPDX-License-Identifier: MIT */
/*
 * Runs code outside of long mode: void legacy_run(void), called by legacy_call(), enters the mode that
 * struct legacy_mode describes, and returns when an exception or interrupt ends the code.
 *
 * The code is at LEGACY_PAGE, below 64 KiB, so that every mode can run it. The code that enters and
 * leaves real mode is in the same page.
 */
#include "guests/monkey/legacy.h"
#include "guests/monkey/monkey.h"

	.text
	.code32
	.globl legacy_run
legacy_run:
	pushl %ebx
	pushl %ebp
	pushl %esi
	pushl %edi
	movl %esp, saved_esp
	lidt idt_pointer
	andb $0xfd, legacy_gdt + LEGACY_TSS + 5		/* not busy */
	movl $LEGACY_TSS, %eax
	ltr %ax
	movl %cr0, %eax
	movl %eax, saved_cr0
	movl legacy_mode + L_CR4, %eax
	movl %eax, %cr4
	movl legacy_mode + L_CR3, %eax
	movl %eax, %cr3
	movl legacy_mode + L_CR0, %eax
	movl %eax, %cr0
	cmpl $0, legacy_mode + L_REAL
	jne enter_real
	movl legacy_mode + L_ESP, %esp
	cmpl $0, legacy_mode + L_RING3
	je 1f
	pushl $0					/* virtual-8086 mode: GS, FS, DS, ES */
	pushl $0
	pushl $0
	pushl $0
	pushl legacy_mode + L_SS
	pushl legacy_mode + L_ESP
1:	pushl legacy_mode + L_EFLAGS
	pushl legacy_mode + L_CS
	pushl legacy_mode + L_EIP
	movl legacy_mode + L_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	.set offset, L_REGS
	.irp reg, eax, ecx, edx, ebx, ebp, esi, edi
	movl legacy_mode + offset, %\reg
	.set offset, offset + 4
	.endr
	iretl

enter_real:
	lidt ivt_pointer
	ljmpl $LEGACY_CODE16, $LEGACY_REAL

/* place() copies this to LEGACY_PAGE + LEGACY_REAL. */
	.globl real_blob, real_blob_end, real_ended_offset, real_int3_offset
	.code16
real_blob:
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmpw $LEGACY_PAGE >> 4, $LEGACY_REAL + (1f - real_blob)
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw $LEGACY_PAGE >> 4, %ax
	movw %ax, %ss
	movl $0xff0, %esp
	.set offset, 0
	.irp reg, eax, ecx, edx, ebx, ebp, esi, edi
	movl %cs:LEGACY_REAL_REGS + offset, %\reg
	.set offset, offset + 4
	.endr
	sti
	ljmpw $LEGACY_PAGE >> 4, $0

/* The handlers of real mode: INT3, which ends the code, and all others. */
real_int3:
	movl $END_VECTOR, %cs:LEGACY_REAL_END
real_ended:
	cli
	movw $LEGACY_PAGE >> 4, %ax
	movw %ax, %ds
	lgdtl LEGACY_REAL + (gdt_again - real_blob)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $0x20, $ended32
	.balign 4
gdt_again:
	.word 255
	.long legacy_gdt
real_blob_end:

	.code32
	.altmacro
	.macro LEGACY_STUB vector
	.balign 16
	movl $\vector, %ss:legacy_vector
	jmp ended32
	.endm

	.balign 16
	.globl legacy_stubs
legacy_stubs:
	.set number, 0
	.rept 256
	LEGACY_STUB %number
	.set number, number + 1
	.endr
	.noaltmacro

ended32:
	movl $0x18, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl saved_esp, %esp
	movl saved_cr0, %eax
	movl %eax, %cr0
	movl $0x20, %eax
	movl %eax, %cr4
	cld
	pushl $2
	popfl
	popl %edi
	popl %esi
	popl %ebp
	popl %ebx
	ret

	.data
	.balign 8
idt_pointer:
	.word 2047
	.long legacy_idt
	.balign 8
ivt_pointer:
	.word 1023
	.long legacy_ivt
	.balign 4
saved_esp:
	.long 0
saved_cr0:
	.long 0
	.globl legacy_vector
legacy_vector:
	.long 0
real_ended_offset:
	.long LEGACY_REAL + real_ended - real_blob
real_int3_offset:
	.long LEGACY_REAL + real_int3 - real_blob

	.section .note.GNU-stack, "", @progbits
