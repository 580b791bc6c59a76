/* SPDX-License-Identifier: MIT */
/*
 * Switch from 32-bit protected mode to long mode, with the page tables and the stack that Glasshouse
 * uses until it has built its own. The other CPUs start with these page tables too.
 *
 * enter_long_mode: EBP = physical address of the image (4 KiB aligned), EDX = address to continue at,
 * as an offset in the image; flat 32-bit segments, paging off, the boot stack; the CPU has XD. EDI, ESI and
 * EBP are kept.
 * Steps:
 *   1. fill the boot page tables: the first 4 GiB at 0 and at DIRECT_BASE, the image at IMAGE_BASE;
 *   2. enable PAE, EFER.LME and NXE, paging with write protection, and nothing else;
 *   3. jump to 64-bit code, then to the address that the code is linked at.
 */
#include "arch/x86/layout.h"
#include "arch/x86/long_mode.inc"

#define PHYS(sym) ((sym) - IMAGE_BASE)

	.section .text.boot, "ax"
	.code32
	.globl enter_long_mode
enter_long_mode:
	movl %edx, %ebx
	/* 1. All entries present and writable, large pages below 4 GiB. */
	leal PHYS(boot_pdpt_low)+3(%ebp), %eax
	movl %eax, PHYS(boot_pml4)(%ebp)
	movl %eax, PHYS(boot_pml4)+256*8(%ebp)
	leal PHYS(boot_pdpt_high)+3(%ebp), %eax
	movl %eax, PHYS(boot_pml4)+511*8(%ebp)
	leal PHYS(boot_pd_high)+3(%ebp), %eax
	movl %eax, PHYS(boot_pdpt_high)+510*8(%ebp)
	leal PHYS(boot_pt_image)+3(%ebp), %eax
	movl %eax, PHYS(boot_pd_high)(%ebp)

	leal PHYS(boot_pd_low)+3(%ebp), %eax
	xorl %ecx, %ecx
1:	movl %eax, PHYS(boot_pdpt_low)(%ebp,%ecx,8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 1b

	movl $0x83, %eax
	xorl %ecx, %ecx
1:	movl %eax, PHYS(boot_pd_low)(%ebp,%ecx,8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb 1b

	leal 3(%ebp), %eax
	xorl %ecx, %ecx
1:	movl %eax, PHYS(boot_pt_image)(%ebp,%ecx,8)
	addl $4096, %eax
	incl %ecx
	cmpl $512, %ecx
	jb 1b

	/* 2. The loader's flags and breakpoints are cleared too: NT would make an IRET #GP. */
	pushl $2
	popfl
	xorl %eax, %eax
	movl %eax, %dr7
	leal PHYS(boot_pml4)(%ebp), %edx
	turn_on_long_mode %edx

	/* 3. Load a GDT, enter 64-bit code, then jump to IMAGE_BASE. */
	leal PHYS(boot_gdt)(%ebp), %eax
	pushl $0
	pushl %eax
	pushw $GDT_ENTRIES*8-1
	lgdt (%esp)
	leal PHYS(low64)(%ebp), %eax
	pushl $SEL_CODE64
	pushl %eax
	lret

	.code64
low64:
	movabsq $high64, %rax
	jmpq *%rax
high64:
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_top(%rip), %rsp
	leaq boot_gdtr(%rip), %rax
	lgdt (%rax)
	movl %ebx, %ebx
	movabsq $IMAGE_BASE, %rax
	addq %rax, %rbx
	jmpq *%rbx

	.text
	.globl call_on_stack
/* void call_on_stack(u64 stack_top, void (*fn)(void)) */
call_on_stack:
	movq %rdi, %rsp
	xorl %ebp, %ebp
	call *%rsi
	ud2

	.section .data, "aw"
	.balign 8
boot_gdt:
	.quad 0, DESC_CODE64, DESC_DATA, DESC_CODE32, 0, 0
boot_gdtr:
	.short GDT_ENTRIES*8-1
	.quad boot_gdt

	.section .bss, "aw", @nobits
	.balign 4096
	.globl boot_pml4, boot_pd_low, boot_stack_top
boot_pml4:	.skip 4096
boot_pdpt_low:	.skip 4096
boot_pd_low:	.skip 4*4096
boot_pdpt_high: .skip 4096
boot_pd_high:	.skip 4096
boot_pt_image:	.skip 4096
boot_stack:	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
