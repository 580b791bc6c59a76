/* SPDX-License-Identifier: MIT */
/*
 * From the firmware's 64-bit mode into the image, and back. The code runs from a copy in an executable page
 * below 4 GiB, which stays until an operating system begins.
 *
 * u64 door_switch(struct firmware_state *state, u64 image, u64 entry, u64 handoff), the addresses physical and
 * below 4 GiB; entry: an offset in the image. Returns 0 when this CPU is a guest now; otherwise
 * it is not, and the image's reason.
 *
 * The firmware's state at entry: flat segments, memory mapped one to one, interrupts on or off. Steps:
 *   1. undo the firmware's limits; without XD, return SWITCH_NO_XD;
 *   2. save the state, with the address at which it continues;
 *   3. go through compatibility mode to 32-bit protected mode without paging, because the firmware may use 5-level
 *      paging, which can only be left so; then to enter_long_mode in the image.
 * As the guest, or by firmware_leave(), the CPU continues at as_guest or at natively.
 */
#include "arch/x86/firmware.h"
#include "arch/x86/layout.h"
#include "arch/x86/load_msr.inc"
#include "arch/x86/long_mode.inc"
#include "boot/efi_switch.h"
#include "boot/image.h"

#define CR4_PCIDE (1 << 17)
#define CR4_CET	  (1 << 23)
#define NO_TSS	  0xfff0

	.macro save_msr msr, offset
	movl $\msr, %ecx
	rdmsr
	movl %eax, \offset(%rdi)
	movl %edx, \offset+4(%rdi)
	.endm

	.text
	.balign 16
	.globl door_switch, door_switch_end
door_switch:
	endbr64
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15

	/* 1. */
	movq %rdx, %r13
	movq %rcx, %r14
	lift_firmware_limits
	movl $SWITCH_NO_XD, %eax
	jnc out

	/* 2. */
	pushfq
	popq FIRMWARE_RFLAGS(%rdi)
	cli
	cld
	movq %rsp, FIRMWARE_RSP(%rdi)
	leaq as_guest(%rip), %rax
	movq %rax, FIRMWARE_RIP(%rdi)
	leaq natively(%rip), %rax
	movq %rax, FIRMWARE_BACK(%rdi)
	movq %cr0, %rax
	movq %rax, FIRMWARE_CR0(%rdi)
	movq %cr3, %rax
	movq %rax, FIRMWARE_CR3(%rdi)
	movq %cr4, %rax
	movq %rax, FIRMWARE_CR4(%rdi)
	movq %db7, %rax
	movq %rax, FIRMWARE_DR7(%rdi)
	save_msr MSR_EFER, FIRMWARE_EFER
	save_msr MSR_FS_BASE, FIRMWARE_FS_BASE
	save_msr MSR_GS_BASE, FIRMWARE_GS_BASE
	save_msr MSR_PAT, FIRMWARE_PAT
	testl $CR4_CET, FIRMWARE_CR4(%rdi)
	jz 1f
	save_msr MSR_S_CET, FIRMWARE_S_CET
	save_msr MSR_SSP_TAB, FIRMWARE_SSP_TABLE
	xorl %eax, %eax
	rdsspq %rax			/* does nothing while shadow stacks are off */
	movq %rax, FIRMWARE_SSP(%rdi)
1:
	sgdt FIRMWARE_GDTR(%rdi)
	sidt FIRMWARE_IDTR(%rdi)

	/*
	 * 3. PCIDE would make it impossible to switch paging off. CET must be off before the far return, whose frame is
	 * not on the shadow stack; from then on nobody changes SSP, so that the guest's RET finds its own frame there.
	 */
	movq %cr4, %rax
	andq $~(CR4_PCIDE | CR4_CET), %rax
	movq %rax, %cr4
	leaq gdt(%rip), %rax
	subq $16, %rsp
	movw $4*8-1, 6(%rsp)
	movq %rax, 8(%rsp)
	lgdt 6(%rsp)
	movl %esi, %ebp			/* for enter_long_mode and what follows it */
	movl %edi, %esi
	movl %r14d, %edi
	movl %r13d, %edx
	movl IMAGE_ENTER_LONG_MODE(%rbp), %ebx
	movl IMAGE_STACK_TOP(%rbp), %ecx
	leaq in32(%rip), %rax
	pushq $SEL_CODE32
	pushq %rax
	lretq

	.code32
in32:
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	leal (%ebp,%ecx), %esp
	addl %ebp, %ebx
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	jmp *%ebx

	.code64
/*
 * RDI: this CPU's struct firmware_state, mapped one to one, as this page is. RSI: the value to return. Glasshouse's boot
 * page tables and descriptor tables are loaded, interrupts are off.
 */
natively:
	load_msr MSR_PAT, FIRMWARE_PAT
	movq FIRMWARE_CR3(%rdi), %rax
	movq %rax, %cr3
	movq FIRMWARE_CR4(%rdi), %rax
	movq %rax, %cr4
	load_msr MSR_EFER, FIRMWARE_EFER
	movq FIRMWARE_RSP(%rdi), %rsp
	/*
	 * A null selector cannot be loaded into TR again, and EDK2 would take Glasshouse's for one of its own: it would load
	 * it the next time that it wakes this CPU. It does not for one beyond its table: from a table on the stack.
	 */
	pushq $0
	movabsq $0x0000890000000067, %rax	/* an available TSS at address 0 */
	pushq %rax
	leaq -NO_TSS(%rsp), %rax
	subq $16, %rsp
	movw $0xffff, 6(%rsp)
	movq %rax, 8(%rsp)
	lgdt 6(%rsp)
	movl $NO_TSS, %eax
	ltr %ax
	addq $32, %rsp
	lgdt FIRMWARE_GDTR(%rdi)
	lidt FIRMWARE_IDTR(%rdi)
	movw FIRMWARE_SELECTORS(%rdi), %es
	movw FIRMWARE_SELECTORS+4(%rdi), %ss
	movw FIRMWARE_SELECTORS+6(%rdi), %ds
	movw FIRMWARE_SELECTORS+8(%rdi), %fs
	movw FIRMWARE_SELECTORS+10(%rdi), %gs
	lldt FIRMWARE_SELECTORS+12(%rdi)
	load_msr MSR_FS_BASE, FIRMWARE_FS_BASE
	load_msr MSR_GS_BASE, FIRMWARE_GS_BASE
	/* TR may only be loaded from a descriptor that is not busy; a null selector means that there was none. */
	movzwl FIRMWARE_SELECTORS+14(%rdi), %eax
	testl $~7, %eax
	jz 1f
	movq %cr0, %rdx			/* the table may be read-only */
	btrq $16, %rdx
	movq %rdx, %cr0
	movq FIRMWARE_GDTR+2(%rdi), %rdx
	andb $~2, 5(%rdx,%rax)
	ltr %ax
1:	movq FIRMWARE_DR7(%rdi), %rax
	movq %rax, %db7
	movq FIRMWARE_CR0(%rdi), %rax
	movq %rax, %cr0
	movzwl FIRMWARE_SELECTORS+2(%rdi), %eax
	leaq 2f(%rip), %rdx
	pushq %rax
	pushq %rdx
	lretq
2:	movq %rsi, %rax
	pushq FIRMWARE_RFLAGS(%rdi)
	popfq

as_guest:
out:
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.balign 8
gdt:	.quad 0, DESC_CODE64, DESC_DATA, DESC_CODE32

/*
 * What the guest calls as ExitBootServices: the firmware's own function, whose address memory.c stores at the end of the
 * code, and after it, if it succeeded, the hypercall that says so. Microsoft's calling convention: RCX and RDX hold
 * the arguments, and 32 bytes above the return address belong to the callee.
 */
	.globl door_exit_boot_services
door_exit_boot_services:
	endbr64				/* others call it, perhaps with indirect branch tracking on */
	subq $40, %rsp
	call *door_switch_end(%rip)
	addq $40, %rsp
	testq %rax, %rax
	jnz 1f
	pushq %rbx
	movl $0x40000000, %eax		/* unless Glasshouse has left */
	cpuid
	cmpl $0x73616c47, %ebx		/* CPUID_GLASSHOUSE_EBX (vmm/x86/cpuid.h), "Glas" */
	popq %rbx
	movl $0, %eax
	jne 1f
	movabsq $SWITCH_HYPERCALL, %rax
	vmcall
	xorl %eax, %eax
1:	ret

	.balign 8
door_switch_end:

/* bool door_has_xd(void) */
	.globl door_has_xd
door_has_xd:
	pushq %rbx
	lift_firmware_limits
	setc %al
	movzbl %al, %eax
	popq %rbx
	ret

	.section .note.GNU-stack, "", @progbits
