/* SPDX-License-Identifier: MIT */
/*
 * The MSRs that exit: those that would give VMX to the guest or take it from us, and those outside
 * of the bitmaps' ranges, which always do.
 */
#ifndef GH_VMM_MSR_H
#define GH_VMM_MSR_H

#include "vmm/vm.h"

/* Arm the intercepts of a new VM. */
void msr_init_intercepts(struct vm *vm);

/*
 * Carry out RDMSR (ECX -> EDX:EAX), WRMSR, XSETBV for the guest. Do not skip the instruction.
 * Return 0, or -EINVAL when the guest is to get #GP(0).
 */
int emulate_rdmsr(struct vcpu *vcpu);
int emulate_wrmsr(struct vcpu *vcpu);
int emulate_xsetbv(struct vcpu *vcpu);

#endif
