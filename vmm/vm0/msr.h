/* SPDX-License-Identifier: MIT */
/*
 * VM 0's MSRs: the machine's, except for those in msrs.def.
 */
#ifndef GH_VMM_VM0_MSR_H
#define GH_VMM_VM0_MSR_H

#include "vmm/vm.h"

/* Arm the intercepts that msrs.def asks for. */
void vm0_msr_init(struct vm *vm);

/* vm_ops.rdmsr and vm_ops.wrmsr: also for MSRs outside of the bitmap's ranges, which always exit.
 */
int vm0_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
int vm0_wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

#endif
