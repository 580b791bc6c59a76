/* SPDX-License-Identifier: MIT */
/*
 * A VM entry that failed, explained: the CPU gives a number, we check its rules in software and
 * name the one that is broken.
 */
#include "arch/x86/msr.h"
#include "drivers/console.h"
#include "lib/log.h"
#include "report/entry_check.h"
#include "vmm/vmx/vmcs_text.h"
#include "vmm/vmx/vmx.h"

static u64 get_field(u64 field)
{
	u64 value;

	vmread_safe(field, &value);
	return value;
}

static void report_rule(void *ctx, const char *section, const char *rule, u64 field, u64 value)
{
	const struct vmcs_field_info *info = vmcs_field_by_encoding(field);

	(void)ctx;
	pr_err("  broken: %s (SDM: \"%s\"): %s is %lx\n", rule, section, info ? info->name : "?",
	       value);
}

static void check_rules(void)
{
	if (!vmx_entry_check(&vmx_capability, get_field, report_rule, NULL))
		pr_err("  None of the rules that Glasshouse knows is broken.\n");
}

void vmx_entry_failed(struct vcpu *vcpu)
{
	u32 error = (u32)get_field(VM_INSTRUCTION_ERROR);

	console_panic();
	/* VMLAUNCH is tried after VMRESUME, so 4 means that VMRESUME did not like the fields. */
	pr_err("CPU %u: VM entry failed: VM-instruction error %u: %s.\n", vcpu->cpu->id, error,
	       error == VMXERR_VMLAUNCH_NONCLEAR_VMCS
		       ? "invalid control or host-state field (found by VMRESUME)"
		       : vm_instruction_error_text(error));
	check_rules();
	panic("the guest cannot be entered");
}

void vmx_explain_entry_failure(struct vcpu *vcpu)
{
	console_panic(); /* for every console: this is the end */
	pr_err("CPU %u: VM entry failed: %s, qualification %lx.\n", vcpu->cpu->id,
	       exit_reason_name(exit_reason(vcpu)), exit_qualification(vcpu));
	check_rules();
}
