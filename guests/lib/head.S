/* SPDX-License-Identifier: MIT */
/*
 * The start of a test guest: the header of a Linux image, the 32-bit and 64-bit entry, the code that
 * another CPU starts with, and the exception stubs. Source: "The Linux/x86 Boot Protocol".
 */

#define AP_BASE 0x8000 /* where apic.c copies ap_start: a page below 1 MiB */
#define CODE64	0x10
#define DATA	0x18
#define EFER	0xc0000080

	.section .setup, "a"
	.org 0x1f1
	.byte 1			/* setup_sects: the sector after this one */
	.word 0
	.long __syssize
	.word 0, 0xffff, 0
	.word 0xaa55		/* boot_flag */
	.byte 0xeb, 0x66
	.ascii "HdrS"
	.word 0x020f		/* version 2.15 */
	.long 0
	.word 0, 0
	.byte 0
	.byte 1			/* loadflags: LOADED_HIGH */
	.word 0
	.long 0x100000		/* code32_start, before relocation */
	.long 0, 0, 0		/* ramdisk_image, ramdisk_size, bootsect_kludge */
	.word 0, 0
	.long 0			/* cmd_line_ptr */
	.long 0x7fffffff	/* initrd_addr_max */
	.long LOAD_ADDRESS	/* kernel_alignment */
	.byte 1, 24		/* relocatable_kernel, min_alignment: 16 MiB */
	.word 1			/* xloadflags: the 64-bit entry is at 0x200 */
	.long 65535		/* cmdline_size */
	.long 0
	.quad 0
	.long 0, 0
	.quad 0			/* setup_data */
	.quad LOAD_ADDRESS	/* pref_address */
	.long __init_size
	.long 0, 0
	.org 0x400

/* 32-bit entry (GRUB's command linux): flat segments, no paging, ESI = the boot parameters. */
	.section .text.head, "ax"
	.code32
start32:
	cli
	cld
	movl %esi, %edi
	lgdt gdt_pointer
	movl %cr4, %eax
	orl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $0x900, %eax	/* LME, NXE */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax	/* PG, PE */
	movl %eax, %cr0
	ljmpl $CODE64, $start

/* 64-bit entry: the loader's page tables, RSI = the boot parameters. */
	.org 0x200
	.code64
start64:
	cli
	cld
	movl %esi, %edi
	movl $stack_top, %esp
	movl $pml4, %eax
	movq %rax, %cr3
	lgdt gdt_pointer
	movl $EFER, %ecx
	rdmsr
	orl $0x900, %eax
	wrmsr
	pushq $CODE64
	pushq $start
	lretq

start:
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_top, %esp
	movl %edi, %ebx
	movl $__bss_start, %edi
	movl $__bss_end, %ecx
	subl %edi, %ecx
	xorl %eax, %eax
	rep stosb
	movl %ebx, %edi
	call guest_start
1:	hlt
	jmp 1b

/*
 * The first code of another CPU: real mode, CS:IP = AP_BASE >> 4:0. It stores the registers that
 * INIT has set in ap_state, for the tests, and switches to long mode.
 */
	.section .text
	.code16
	.globl ap_start, ap_end, ap_state_offset
ap_start:
	cli
	movl %edx, %cs:(ap_state + 0 - ap_start)
	movl %cr0, %edx
	movl %edx, %cs:(ap_state + 4 - ap_start)
	movl %cr4, %edx
	movl %edx, %cs:(ap_state + 8 - ap_start)
	movw %cs, %dx
	movw %dx, %cs:(ap_state + 12 - ap_start)
	movw %ds, %dx
	movw %dx, %cs:(ap_state + 14 - ap_start)
	movw %cs, %dx
	movw %dx, %ds
	movw %dx, %ss
	movw $0xff0, %sp
	pushfl
	popl %edx
	movl %edx, (ap_state + 16 - ap_start)
	lgdtl (ap_gdt_pointer - ap_start)
	movl $0x20, %eax	/* PAE */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $0x900, %eax
	wrmsr
	movl $0x80000011, %eax	/* PG, ET, PE; caches on */
	movl %eax, %cr0
	ljmpl $CODE64, $ap64
	.balign 4
ap_gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
	.balign 4
ap_state:
	.fill 20
ap_end:

	.code64
ap64:
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movq ap_stack, %rsp
	call guest_ap_start
1:	hlt
	jmp 1b

/* The stubs of all exceptions and interrupts push an error code, 0 where the CPU pushes none, and
 * the vector; then trap_handler(frame) runs. */
	.macro STUB vector
	.balign 16
	.if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21)
	pushq $0
	.endif
	pushq $\vector
	jmp trap_common
	.endm

	.balign 16
	.globl trap_stubs
trap_stubs:
	.altmacro
	.set number, 0
	.rept 64
	STUB %number
	.set number, number + 1
	.endr
	.noaltmacro

trap_common:
	.irp reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pushq %\reg
	.endr
	cld
	movq %rsp, %rdi
	movq %rsp, %rbp
	andq $-16, %rsp
	call trap_handler
	movq %rbp, %rsp
	.irp reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	popq %\reg
	.endr
	addq $16, %rsp
	iretq

	.section .rodata
	.balign 4
ap_state_offset:
	.long ap_state - ap_start

	.data
	.balign 8
gdt:	.quad 0, 0
	.quad 0x00af9b000010ffff	/* CODE64; the CPU ignores its base */
	.quad 0x00cf93000000ffff	/* DATA */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
	.globl ap_stack
	.balign 8
ap_stack:
	.quad 0

/* The first 4 GiB are identity-mapped by 2 MiB pages. The tests use the next GiB: set_page(). */
	.globl pml4, pdpt
	.balign 4096
pml4:	.quad pdpt + 7
	.fill 511, 8
pdpt:	.quad pd + 7, pd + 0x1007, pd + 0x2007, pd + 0x3007
	.fill 508, 8
pd:
	.set address, 0
	.rept 2048
	.quad address + 0x83
	.set address, address + 0x200000
	.endr

	.bss
	.balign 16
	.fill 16384
stack_top:
