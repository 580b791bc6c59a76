/* SPDX-License-Identifier: MIT */
/*
 * The code that a CPU runs after SIPI.
 *
 * The CPU starts in real mode, CS = page number * 100h, IP = 0 (SDM: "Typical AP Initialization Sequence").
 * The code is copied to a page below 1 MiB, so it uses only addresses relative to its own start. Steps:
 *   1. compute the addresses that depend on the page: the GDT's and the jump targets';
 *   2. switch to 32-bit protected mode, undo the firmware's limits, then, with the boot page tables, switch to
 *      long mode;
 *   3. jump to ap_entry in the image, which loads the final page tables and the CPU's own stack (the boot
 *      page tables do not map it) and calls ap_main(cpu, main).
 */
#include "arch/x86/layout.h"
#include "arch/x86/long_mode.inc"
#include "arch/x86/trampoline.h"

#define REL(sym) ((sym) - trampoline_start)

	.section .rodata, "a"
	.balign 16
	.globl trampoline_start, trampoline_end, trampoline_params
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %ebx
	shll $4, %ebx			/* %ebx: physical address of the page */

	leal REL(gdt)(%ebx), %eax
	movl %eax, REL(gdtr) + 2
	leal REL(start32)(%ebx), %eax
	movl %eax, REL(far32)
	leal REL(start64)(%ebx), %eax
	movl %eax, REL(far64)
	lgdtl REL(gdtr)
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* caches on */
	orl $1, %eax
	movl %eax, %cr0
	ljmpl *REL(far32)

	.code32
start32:
	movw $SEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %ss
	movl %ebx, %esi
	lift_firmware_limits
	movl %esi, %ebx
	jnc no_xd
	turn_on_long_mode REL(trampoline_params)+TRAMPOLINE_BOOT_CR3(%ebx)
	ljmpl *REL(far64)(%ebx)
no_xd:	hlt				/* smp_start() says that this CPU does not answer */
	jmp no_xd

	.code64
start64:
	leaq REL(trampoline_params)(%rbx), %rsi
	jmpq *TRAMPOLINE_ENTRY(%rsi)

	.balign 8
gdt:	.quad 0
	.quad DESC_CODE64, DESC_DATA, DESC_CODE32
gdtr:	.short 31
	.long 0
	.balign 4
far32:	.long 0
	.short SEL_CODE32
	.balign 4
far64:	.long 0
	.short SEL_CODE64
	.balign 8
trampoline_params:			/* struct trampoline_data */
	.skip TRAMPOLINE_DATA_SIZE
trampoline_end:

	.text
	.globl ap_entry
ap_entry:
	movq TRAMPOLINE_CR3(%rsi), %rax
	movq TRAMPOLINE_STACK_TOP(%rsi), %rsp
	movq TRAMPOLINE_CPU(%rsi), %rdi
	movq TRAMPOLINE_MAIN(%rsi), %rsi
	movq %rax, %cr3
	xorl %ebp, %ebp
	call ap_main
	ud2

	.section .note.GNU-stack, "", @progbits
