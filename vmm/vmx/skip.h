/* SPDX-License-Identifier: MIT */
/*
 * The end of an emulated instruction.
 */
#ifndef GH_VMM_VMX_SKIP_H
#define GH_VMM_VMX_SKIP_H

#include "vmm/steps.h"
#include "vmm/vmx/vmx.h"

/* The rare part of vmx_skip_to(). @rflags, @interruptibility: the guest's values during
 * the instruction. */
void vmx_end_instruction(u64 rflags, u64 interruptibility);

/* End an emulated instruction and continue at @rip: clear RF and the blocking by STI and MOV SS,
 * and make a single-step trap pending if TF is set. */
static inline void vmx_skip_to(u64 rip)
{
	u64 rflags, interruptibility;

	STEP(skip);
	rflags = vmread(GUEST_RFLAGS);
	interruptibility = vmread(GUEST_INTERRUPTIBILITY_INFO);
	vmwrite(GUEST_RIP, rip);
	if (unlikely(interruptibility & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
		vmx_end_instruction(rflags, interruptibility);
	else if (unlikely(rflags & (RFLAGS_RF | RFLAGS_TF)))
		vmx_end_instruction(rflags, interruptibility);
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
