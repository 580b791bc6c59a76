/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, hole 1: the end of an emulated instruction. Your file takes the place of vmm/vmx/skip.h.
 * vmread() and vmwrite() are in arch/x86/vmx_insn.h, the bits in arch/x86/vmx.h and arch/x86/cpu.h.
 */
#ifndef GH_VMM_VMX_SKIP_H
#define GH_VMM_VMX_SKIP_H

#include "vmm/steps.h"
#include "vmm/vmx/vmx.h"

/* Hole 2, in skip.c. @rflags, @interruptibility: the guest's values during the instruction. */
void vmx_end_instruction(u64 rflags, u64 interruptibility);

/*
 * Hole 1. End an emulated instruction: the guest continues at @rip (GUEST_RIP). If RF or TF is set
 * in the guest's RFLAGS (GUEST_RFLAGS), or if GUEST_INTERRUPTIBILITY_INFO has a shadow of STI or
 * MOV SS, call vmx_end_instruction(). Otherwise do not: VMWRITE is slow, and this is executed at
 * nearly every exit.
 */
static inline void vmx_skip_to(u64 rip)
{
	STEP(skip);
	(void)rip; /* yours to write */
}

/* End the instruction that exited and continue after it. Outside 64-bit code, EIP wraps at 4 GiB.
 */
static inline void vmx_skip_instruction(struct vcpu *vcpu)
{
	u64 length = vmread(VM_EXIT_INSTRUCTION_LEN), rip = exit_rip(vcpu) + length;

	if (unlikely((u32)rip < (u32)length) && !(vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK))
		rip = (u32)rip;
	vmx_skip_to(rip);
}

#endif
