/* SPDX-License-Identifier: MIT */
/*
 * vmx_vcpu_run: enter the guest and return after its exit. RDI = struct vcpu *, before and after; all other
 * registers except RSP are clobbered. Only run_guest() in vcpu.c calls it.
 *
 * What the CPU does: at the entry it loads RIP, RSP, RFLAGS, CR0, CR3, CR4, the segments and some MSRs from the
 * VMCS; at the exit it saves them there and loads the host's: RIP = vmx_return, RSP = HOST_RSP. It does not switch
 * the other general registers, which is done here, nor the FPU and vector registers, which Glasshouse does not use.
 * What the code does:
 *   1. pushes the vcpu;
 *   2. writes RSP to HOST_RSP, unless it is the same as at the last entry;
 *   3. loads the guest's registers, RDI last;
 *   4. VMRESUME, or VMLAUNCH if that fails because the VMCS has not been launched yet; if both fail, calls
 *      vmx_entry_failed(vcpu), which does not return;
 *   5. at vmx_return: saves the guest's registers.
 */
#include "vmm/steps.inc"
#include "vmm/vmx/vmx_run.h"

/* Offsets in struct vcpu: regs[] is first. */
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
	.globl vmx_vcpu_run, vmx_return, vmx_return_traced
	.balign 16
vmx_vcpu_run:
	STEP(vmx_vcpu_run, run)
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

	STEP(vmx_vcpu_run, vmresume)
	vmresume
	/* Once for each VMCS: the time, for the record of the boot. */
	pushq %rax
	pushq %rdx
	rdtsc
	movl %eax, %gs:RUN_CPU_LAUNCHED
	movl %edx, %gs:RUN_CPU_LAUNCHED+4
	popq %rdx
	popq %rax
	STEP(vmx_vcpu_run, vmlaunch)
	vmlaunch

	popq %rdi
	call vmx_entry_failed
	ud2

	/* HOST_RIP while monitor/tracer.c traces the vCPU: an exit has cleared TF, and DR6 is the guest's. */
	.balign 16
vmx_return_traced:
	pushq %rax
	movq %dr6, %rax
	movq %rax, %gs:RUN_CPU_DR6
	popq %rax
	pushfq
	orl $0x100, (%rsp)
	popfq
	nop
	.balign 16
vmx_return:
	STEP(vmx_return, exit)
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
