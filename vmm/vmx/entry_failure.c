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

void vmx_explain_entry_failure(struct vcpu *vcpu)
{
	console_panic(); /* print on every console: Glasshouse will stop */
	pr_err("CPU %u: VM entry failed: %s, qualification %lx.\n", vcpu->cpu->id,
	       exit_reason_name(exit_reason(vcpu)), exit_qualification(vcpu));
	report();
}
