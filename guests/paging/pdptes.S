/* SPDX-License-Identifier: MIT */
/*
 * Changes of PDPTEs, in PAE paging, step by step; then of a page of 4 MiB. Each READ stores the
 * byte at 1 GiB, or at another address, or all ones after #PF, in pdptes_found.
 */
	.text
	.code32
	.macro READ number, address=0x40000000
	movl $1f, %edi
	movzbl \address, %eax
1:	movl %eax, pdptes_found + 4 * \number
	.endm

	.macro SET directory
	movl \directory, %eax
	movl %eax, pdptes_root + 8
	.endm

	.macro LOAD
	movl %cr3, %eax
	movl %eax, %cr3
	.endm

	.globl pdptes_code, pdptes_fault
pdptes_code:
	movl %cr0, %eax
	movl %eax, saved_cr0
	movl %cr4, %eax
	movl %eax, saved_cr4
	lidt pdptes_idt_pointer
	orl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $pdptes_root, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	jmp 2f

2:	READ 0
	SET pdptes_directories + 4	/* in memory only */
	READ 1
	invlpg 0x40000000
	READ 2
	LOAD
	READ 3
	SET $0
	invlpg 0x40000000
	READ 4
	LOAD
	READ 5
	SET pdptes_directories + 8
	READ 6
	invlpg 0x40000000
	READ 7
	movl %cr4, %eax
	xorl $0x80, %eax	/* PGE: a change loads them */
	movl %eax, %cr4
	READ 8
	SET pdptes_directories + 0
	movl %cr4, %eax
	xorl $0x10, %eax	/* and of PSE */
	movl %eax, %cr4
	READ 9
	movl $pdptes_root + 32 + 0x18, %eax	/* another root; PCD, PWT */
	movl %eax, %cr3
	READ 10
	movl $pdptes_root + 0x7, %eax		/* ignored */
	movl %eax, %cr3
	READ 11
	movl %cr0, %eax
	andl $~0x60000000, %eax	/* CD, NW */
	movl %eax, %cr0
	movl $pdptes_root, %eax
	movl %eax, %cr3
	SET pdptes_directories + 4
	movl %cr0, %eax
	orl $0x40000000, %eax	/* CD: a change loads them, too */
	movl %eax, %cr0
	invlpg 0x40000000
	READ 17
	SET pdptes_directories + 0
	movl %cr0, %eax
	andl $~0x40000000, %eax
	movl %eax, %cr0
	invlpg 0x40000000
	READ 18

	movl saved_cr0, %eax
	movl %eax, %cr0
	jmp 2f
2:	movl saved_cr4, %eax
	andl $~0x20, %eax
	orl $0x10, %eax		/* PSE, not PAE */
	movl %eax, %cr4
	movl $large_root, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	jmp 2f

2:	READ 12
	READ 13, 0x40200000
	movl large_entries + 4, %eax
	movl %eax, large_root + 4 * 256
	invlpg 0x40000000
	READ 14, 0x40200000
	READ 15
	movl large_entries, %eax
	movl %eax, large_root + 4 * 256
	invlpg 0x40200000
	READ 16

	movl saved_cr0, %eax
	movl %eax, %cr0
	jmp 2f
2:	movl saved_cr4, %eax
	movl %eax, %cr4
	ret

pdptes_fault:
	addl $4, %esp
	movl %edi, (%esp)
	movl $-1, %eax
	iret

	.data
	.balign 8
saved_cr0:
	.long 0
saved_cr4:
	.long 0
pdptes_idt_pointer:
	.word 15 * 8 - 1
	.long pdptes_idt

	.section .note.GNU-stack, "", @progbits
