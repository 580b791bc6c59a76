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
 *   3. loads the guest's registers (vmx_registers.inc);
 *   4. enters the guest (vmx_enter.inc); if that fails, calls vmx_entry_failed(vcpu), which does not return;
 *   5. at vmx_return: saves the guest's registers (vmx_registers.inc).
 */
#include "vmm/steps.inc"
#include "vmm/vmx/vmx_run.h"
#include "vmm/vmx/vmx_enter.inc"
#include "vmm/vmx/vmx_registers.inc"

	.text
	.globl vmx_vcpu_run, vmx_return, vmx_return_traced
	.balign 16
vmx_vcpu_run:
	STEP(vmx_vcpu_run, run)
	pushq %rdi
	cmpq %rsp, RUN_HOST_RSP(%rdi)
	jne 3f
1:
	load_guest_registers
	vm_enter

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
	save_guest_registers
	popq %rdi
	ret

3:	movq %rsp, RUN_HOST_RSP(%rdi)
	movl $RUN_HOST_RSP_FIELD, %eax
	vmwrite %rsp, %rax
	jmp 1b

	.section .note.GNU-stack, "", @progbits
