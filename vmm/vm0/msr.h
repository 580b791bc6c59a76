/* SPDX-License-Identifier: MIT */
/*
 * VM 0's MSRs: the machine's, except those in msrs.def.
 */
#ifndef GH_VMM_VM0_MSR_H
#define GH_VMM_VM0_MSR_H

#include "vmm/vm.h"

/* Set the MSR intercepts of @vm for the rows of msrs.def. */
void vm0_msr_init(struct vm *vm);

/*
 * vm_ops.rdmsr and vm_ops.wrmsr. MSRs that msrs.def does not list access the machine's, unless they
 * belong to a hidden feature. Return 0, or -EINVAL to inject #GP, which is logged.
 */
int vm0_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value);
int vm0_wrmsr(struct vcpu *vcpu, u32 msr, u64 value);

#endif
