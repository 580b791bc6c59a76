/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR, whose operands are in registers. The VM supplies the values of the MSRs
 * (vm_ops.rdmsr, vm_ops.wrmsr).
 */
#ifndef GH_VMM_X86_RDMSR_H
#define GH_VMM_X86_RDMSR_H

#include "errno.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* EDX:EAX, the operand of WRMSR and XSETBV. */
static inline u64 edx_eax(const struct vcpu *vcpu)
{
	return (u64)(u32)vcpu->regs[VCPU_RDX] << 32 | (u32)vcpu->regs[VCPU_RAX];
}

/*
 * Emulate RDMSR (reads the MSR in ECX into EDX:EAX) and WRMSR (writes EDX:EAX to it). The caller
 * skips the instruction. Return 0; or -EINVAL, and the caller injects #GP(0). SDM: "RDMSR—Read From
 * Model Specific Register", "WRMSR—Write to Model Specific Register".
 */
static inline int emulate_rdmsr(struct vcpu *vcpu)
{
	union {
		u64 value;
		u32 half[2]; /* two loads cost less than a load and a shift */
	} msr;

	if (vcpu->vm->ops->rdmsr(vcpu, (u32)vcpu->regs[VCPU_RCX], &msr.value))
		return -EINVAL;
	vcpu->regs[VCPU_RAX] = msr.half[0];
	vcpu->regs[VCPU_RDX] = msr.half[1];
	return 0;
}

static inline int emulate_wrmsr(struct vcpu *vcpu)
{
	return vcpu->vm->ops->wrmsr(vcpu, (u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu));
}

#endif
