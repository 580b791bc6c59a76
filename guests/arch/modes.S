/* SPDX-License-Identifier: MIT */
/*
 * Mode switches by MOV to CR0. Each one also changes CR0.NE, so that it causes a VM exit and the
 * hypervisor must emulate it.
 */
#include "guests/arch/arch.h"

#define PE 0x1
#define NE 0x20
#define PG 0x80000000

	.text
	.code32
	.globl run_modes, on_gp
run_modes:
	pushl %ebp
	pushl %ebx
	movl %esp, %ebp
	lidt idt32_pointer
	movl $found, %edi

	/* PAE paging; the second GiB maps the same memory as the first. */
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $pae_pdpt, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	xorl $(PG | NE), %eax
	movl %eax, %cr0
	movl magic + 0x40000000, %ecx
	movl %ecx, 0(%edi)
	movl %cr0, %eax
	xorl $(PG | NE), %eax
	movl %eax, %cr0

	/* Each bit of a PDPTE: reserved ones cause #GP at MOV to CR0, which must not change CR0. */
	xorl %ecx, %ecx
3:	btcl %ecx, pae_pdpt + 8
	movl $4f, resume
	movl %cr0, %eax
	xorl $(PG | NE), %eax
	movl %eax, %cr0
	xorl $(PG | NE), %eax
	movl %eax, %cr0
	jmp 5f
4:	btsl %ecx, refused_cr0
	movl %cr0, %eax
	orl %eax, 8(%edi)
5:	btcl %ecx, pae_pdpt + 8
	incl %ecx
	cmpl $64, %ecx
	jb 3b

	/* The same at MOV to CR3. */
	movl %cr0, %eax
	xorl $(PG | NE), %eax
	movl %eax, %cr0
	xorl %ecx, %ecx
3:	btcl %ecx, pae_pdpt + 8
	movl $4f, resume
	movl %cr3, %eax
	movl %eax, %cr3
	jmp 5f
4:	btsl %ecx, refused_cr3
5:	btcl %ecx, pae_pdpt + 8
	incl %ecx
	cmpl $64, %ecx
	jb 3b
	movl %cr3, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	xorl $(PG | NE), %eax
	movl %eax, %cr0
	movl $0x80000001, %eax
	cpuid
	movl $found, %edi
	movl %edx, 4(%edi)

	/* Real mode, with the segments of protected mode. */
	ljmpl $CODE_TASK16, $0
	.code16
	.globl real_mode
real_mode:
	movl %cr0, %eax
	xorl $(PE | NE), %eax
	movl %eax, %cr0
	xorl %eax, %eax
	cpuid
	movl $found, %edi
	movl %ebx, 12(%edi)
	movl %cr0, %eax
	movl %eax, 16(%edi)
	xorl $(PE | NE), %eax
	movl %eax, %cr0
	ljmpl $0x20, $2f
	.code32
2:	movl %cr0, %eax
	movl %eax, 20(%edi)
	movl %ebp, %esp
	popl %ebx
	popl %ebp
	ret

/* The #GP handler: counts, and continues at resume. */
on_gp:	incl faults
	addl $4, %esp
	pushl %eax
	movl resume, %eax
	movl %eax, 4(%esp)
	popl %eax
	iret

	.data
	.balign 4
	.globl faults, resume
magic:	.long 0x600d600d
resume:	.long 0
faults:	.long 0

	.section .note.GNU-stack, "", @progbits
