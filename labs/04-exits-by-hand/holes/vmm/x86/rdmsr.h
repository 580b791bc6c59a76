/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, holes 3 and 4: RDMSR and WRMSR. Your file takes the place of vmm/x86/rdmsr.h.
 *
 * What an MSR of the guest is, the VM says: vcpu->vm->ops->rdmsr(vcpu, msr, &value) and
 * vcpu->vm->ops->wrmsr(vcpu, msr, value) return 0, or an error if the guest is to get #GP. The
 * registers are vcpu->regs[VCPU_RAX], [VCPU_RCX], [VCPU_RDX]. The caller skips the instruction, or
 * injects the #GP. SDM: "RDMSR—Read From Model Specific Register", "WRMSR—Write to Model Specific
 * Register".
 */
#ifndef GH_VMM_X86_RDMSR_H
#define GH_VMM_X86_RDMSR_H

#include "errno.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* EDX:EAX, the operand of WRMSR and XSETBV. A part of hole 4. */
static inline u64 edx_eax(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0; /* yours to write */
}

/* Hole 3. RDMSR: the MSR's number is ECX, its value goes to EDX:EAX. In 64-bit mode the upper
 * halves of RDX and RAX become 0. If the VM refuses, no register changes. Return 0, or -EINVAL:
 * #GP. */
static inline int emulate_rdmsr(struct vcpu *vcpu)
{
	(void)vcpu;
	return -EINVAL; /* yours to write */
}

/* Hole 4. WRMSR: the MSR's number is ECX, the value EDX:EAX. Return 0, or -EINVAL: #GP. */
static inline int emulate_wrmsr(struct vcpu *vcpu)
{
	(void)vcpu;
	return -EINVAL; /* yours to write */
}

#endif
