/* SPDX-License-Identifier: MIT */
/*
 * Failed VM entries. The CPU only reports an error number; report/entry_check.h finds the rule that
 * the VMCS breaks.
 */
#include "drivers/console.h"
#include "lib/log.h"
#include "vmm/vmx/vmcs_text.h"
#include "vmm/vmx/vmx.h"

void (*vmx_entry_failure_report)(void);

static void report(void)
{
	if (vmx_entry_failure_report)
		vmx_entry_failure_report();
}

void vmx_entry_failed(struct vcpu *vcpu)
{
	u64 error;

	vmread_safe(VM_INSTRUCTION_ERROR, &error);
	console_panic();
	/* vmx_vcpu_run() executes VMLAUNCH after a failed VMRESUME. "VMLAUNCH with non-clear VMCS"
	 * then means that VMRESUME failed for another reason, whose number is lost. */
	pr_err("CPU %u: VM entry failed: VM-instruction error %lu: %s.\n", vcpu->cpu->id, error,
	       error == VMXERR_VMLAUNCH_NONCLEAR_VMCS
		       ? "invalid control or host-state field (found by VMRESUME)"
		       : vm_instruction_error_text((u32)error));
	report();
	panic("the guest cannot be entered");
}

/*
 * SDM: "VM-Entry Failures During or After Loading Guest State". All that is checked there is the
 * guest's own state, but for the list of MSRs to load, which is ours.
 */
int vmx_entry_refused(struct vcpu *vcpu)
{
	u32 reason = exit_reason(vcpu);
	bool guests = (reason & VMX_EXIT_REASONS_BASIC_MASK) == EXIT_REASON_INVALID_STATE;

	if (!guests)
		console_panic(); /* on every console: Glasshouse is about to stop */
	pr_err("CPU %u: VM entry failed: %s, qualification %lx.\n", vcpu->cpu->id,
	       exit_reason_name(reason), exit_qualification(vcpu));
	report();
	return guests ? vcpu->vm->ops->invalid_state(vcpu) : -EIO;
}
