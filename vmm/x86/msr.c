/* SPDX-License-Identifier: MIT */
/*
 * RDMSR, WRMSR and XSETBV for the guest.
 */
#include "vmm/x86/msr.h"
#include "arch/x86/msr.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/x86/guest_mem.h"

/* What WRMSR and XSETBV write. */
static u64 edx_eax(const struct vcpu *vcpu)
{
	return (u64)(u32)vcpu->regs[VCPU_RDX] << 32 | (u32)vcpu->regs[VCPU_RAX];
}

int emulate_rdmsr(struct vcpu *vcpu)
{
	u64 value;

	if (vcpu->vm->ops->rdmsr(vcpu, (u32)vcpu->regs[VCPU_RCX], &value))
		return -EINVAL;
	vcpu->regs[VCPU_RAX] = (u32)value;
	vcpu->regs[VCPU_RDX] = value >> 32;
	return 0;
}

int emulate_wrmsr(struct vcpu *vcpu)
{
	return vcpu->vm->ops->wrmsr(vcpu, (u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu));
}

/* The CPU checks the value (SDM: "XSETBV—Set Extended Control Register"). Not all CPUs exit only
 * after the check of the privilege. */
int emulate_xsetbv(struct vcpu *vcpu)
{
	if (guest_cpl(vcpu))
		return -EINVAL;
	return xsetbv_safe((u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu)) ? -EINVAL : 0;
}
