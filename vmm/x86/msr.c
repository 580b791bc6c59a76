/* SPDX-License-Identifier: MIT */
/*
 * Emulate XSETBV.
 */
#include "vmm/x86/msr.h"
#include "arch/x86/msr.h"
#include "vmm/vcpu.h"
#include "vmm/x86/guest_mem.h"

/*
 * The CPU checks the value (SDM: "XSETBV—Set Extended Control Register"). Some CPUs exit before
 * they check the privilege level.
 */
int emulate_xsetbv(struct vcpu *vcpu)
{
	if (guest_cpl(vcpu))
		return -EINVAL;
	return xsetbv_safe((u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu)) ? -EINVAL : 0;
}
