/* SPDX-License-Identifier: MIT */
/*
 * Emulate XSETBV, and RDMSR and WRMSRNS with an immediate.
 */
#include "vmm/x86/msr.h"
#include "arch/x86/msr.h"
#include "vmm/registers.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/guest_mem.h"

int emulate_rdmsr_imm(struct vcpu *vcpu, u32 msr, enum vcpu_reg reg)
{
	u64 value;

	if (vcpu->vm->ops->rdmsr(vcpu, msr, &value))
		return -EINVAL;
	set_general_register(vcpu, reg, value);
	return 0;
}

int emulate_wrmsrns_imm(struct vcpu *vcpu, u32 msr, enum vcpu_reg reg)
{
	return vcpu->vm->ops->wrmsr(vcpu, msr, general_register(vcpu, reg));
}

/*
 * The CPU checks the value (SDM: "XSETBV—Set Extended Control Register"). Some CPUs exit before
 * they check the privilege level.
 */
int emulate_xsetbv(struct vcpu *vcpu)
{
	if (guest_cpl(vcpu) || edx_eax(vcpu) & vcpu->vm->cpuid->hidden_xstate)
		return -EINVAL;
	return xsetbv_safe((u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu)) ? -EINVAL : 0;
}
