/* SPDX-License-Identifier: MIT */
/*
 * The guest's general registers by their numbers in instructions: RSP is not in vcpu->regs. On the
 * vCPU's CPU, while it is loaded.
 */
#ifndef GH_VMM_REGISTERS_H
#define GH_VMM_REGISTERS_H

#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

static inline u64 general_register(struct vcpu *vcpu, enum vcpu_reg reg)
{
	return reg == VCPU_RSP ? virt->get_sysreg(vcpu, SYSREG_RSP) : vcpu->regs[reg];
}

static inline void set_general_register(struct vcpu *vcpu, enum vcpu_reg reg, u64 value)
{
	if (reg == VCPU_RSP)
		virt->set_sysreg(vcpu, SYSREG_RSP, value);
	else
		vcpu->regs[reg] = value;
}

#endif
