/* SPDX-License-Identifier: MIT */
/*
 * vmx_vcpu_run: into the guest and back. RDI = struct vcpu *, and so it is again on return; no other register but RSP
 * is kept, which run_guest() in vcpu.c knows.
 *
 * What the CPU does: at entry it loads RIP, RSP, RFLAGS, CR0, CR3, CR4, the segments and some MSRs from the
 * VMCS; at exit it saves them there and loads ours; RIP becomes vmx_return, RSP what it was told. The
 * other general registers it leaves to us. FPU and vector registers nobody touches: they stay the guest's.
 * What this does:
 *   1. saves the vcpu on the stack;
 *   2. tells the CPU the stack pointer, if it is not what it was told before;
 *   3. loads the guest's registers, RDI last;
 *   4. VMRESUME; if there is nothing to resume, VMLAUNCH; if that fails too, vmx_entry_failed(vcpu), which
 *      does not return;
 *   5. at vmx_return: saves the guest's registers.
 */
#include "vmm/vmx/vmx_run.h"

/* struct vcpu: regs[] comes first, in the order of the registers' numbers; then host_rsp. */
#define RAX 0*8
#define RCX 1*8
#define RDX 2*8
#define RBX 3*8
#define RBP 5*8
#define RSI 6*8
#define RDI 7*8
#define R8  8*8
#define R9  9*8
#define R10 10*8
#define R11 11*8
#define R12 12*8
#define R13 13*8
#define R14 14*8
#define R15 15*8

	.text
	.globl vmx_vcpu_run, vmx_return
	.balign 16
vmx_vcpu_run:
	pushq %rdi
	cmpq %rsp, RUN_HOST_RSP(%rdi)
	jne 3f
1:
	movq RAX(%rdi), %rax
	movq RCX(%rdi), %rcx
	movq RDX(%rdi), %rdx
	movq RBX(%rdi), %rbx
	movq RBP(%rdi), %rbp
	movq RSI(%rdi), %rsi
	movq R8(%rdi), %r8
	movq R9(%rdi), %r9
	movq R10(%rdi), %r10
	movq R11(%rdi), %r11
	movq R12(%rdi), %r12
	movq R13(%rdi), %r13
	movq R14(%rdi), %r14
	movq R15(%rdi), %r15
	movq RDI(%rdi), %rdi

	vmresume
	vmlaunch

	popq %rdi
	call vmx_entry_failed
	ud2

	.balign 16
vmx_return:
	pushq %rdi
	movq 8(%rsp), %rdi
	movq %rax, RAX(%rdi)
	movq %rcx, RCX(%rdi)
	movq %rdx, RDX(%rdi)
	movq %rbx, RBX(%rdi)
	movq %rbp, RBP(%rdi)
	movq %rsi, RSI(%rdi)
	movq %r8, R8(%rdi)
	movq %r9, R9(%rdi)
	movq %r10, R10(%rdi)
	movq %r11, R11(%rdi)
	movq %r12, R12(%rdi)
	movq %r13, R13(%rdi)
	movq %r14, R14(%rdi)
	movq %r15, R15(%rdi)
	popq RDI(%rdi)
	popq %rdi
	ret

3:	movq %rsp, RUN_HOST_RSP(%rdi)
	movl $RUN_HOST_RSP_FIELD, %eax
	vmwrite %rsp, %rax
	jmp 1b

	.section .note.GNU-stack, "", @progbits
