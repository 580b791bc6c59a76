/* SPDX-License-Identifier: MIT */
/*
 * RDMSR, WRMSR and XSETBV for the guest: the instructions. What an MSR holds is the VM's matter
 * (vm_ops.rdmsr, wrmsr).
 */
#ifndef GH_VMM_MSR_H
#define GH_VMM_MSR_H

#include "errno.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* What WRMSR and XSETBV write. */
static inline u64 edx_eax(const struct vcpu *vcpu)
{
	return (u64)(u32)vcpu->regs[VCPU_RDX] << 32 | (u32)vcpu->regs[VCPU_RAX];
}

/*
 * Emulate RDMSR (ECX -> EDX:EAX), WRMSR, XSETBV. They do not skip the instruction. Return 0, or
 * -EINVAL: the guest gets #GP(0).
 */
static inline int emulate_rdmsr(struct vcpu *vcpu)
{
	u64 value;

	if (vcpu->vm->ops->rdmsr(vcpu, (u32)vcpu->regs[VCPU_RCX], &value))
		return -EINVAL;
	vcpu->regs[VCPU_RAX] = (u32)value;
	vcpu->regs[VCPU_RDX] = value >> 32;
	return 0;
}

static inline int emulate_wrmsr(struct vcpu *vcpu)
{
	return vcpu->vm->ops->wrmsr(vcpu, (u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu));
}

int emulate_xsetbv(struct vcpu *vcpu);

#endif
