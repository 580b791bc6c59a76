/* SPDX-License-Identifier: MIT */
/*
 * RDMSR, WRMSR and XSETBV for the guest: the instructions. What an MSR holds is the VM's matter
 * (vm_ops.rdmsr, wrmsr).
 */
#ifndef GH_VMM_MSR_H
#define GH_VMM_MSR_H

#include "vmm/vcpu.h"

/*
 * Emulate RDMSR (ECX -> EDX:EAX), WRMSR, XSETBV. They do not skip the instruction. Return 0, or
 * -EINVAL: the guest gets #GP(0).
 */
int emulate_rdmsr(struct vcpu *vcpu);
int emulate_wrmsr(struct vcpu *vcpu);
int emulate_xsetbv(struct vcpu *vcpu);

#endif
