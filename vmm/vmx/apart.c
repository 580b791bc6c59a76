/* SPDX-License-Identifier: MIT */
/*
 * What stands in for the parts of the VT-x back end that `make core` leaves out; see vmm/apart.c.
 */
#include "lib/log.h"
#include "vmm/vmx/ready.h"
#include "vmm/vmx/vmx.h"

__weak int ready_report(const struct vmx_capability *cap, struct vmcs_config *config,
			__unused const char *brand, __unused unsigned cpu)
{
	return setup_vmcs_config(cap, config);
}

/* The CPU's own numbers must do. */
__weak void vmx_entry_failed(struct vcpu *vcpu)
{
	panic("CPU %u: VM entry failed: VM-instruction error %lu", vcpu->cpu->id,
	      vmread(VM_INSTRUCTION_ERROR));
}

__weak void vmx_explain_entry_failure(struct vcpu *vcpu)
{
	pr_err("CPU %u: VM entry failed: %s, qualification %lx.\n", vcpu->cpu->id,
	       exit_reason_name(exit_reason(vcpu)), exit_qualification(vcpu));
}

__weak void vmx_dump(__unused struct vcpu *vcpu)
{
}
