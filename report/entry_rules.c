/* SPDX-License-Identifier: MIT */
/*
 * The check of the entry rules for the current VMCS.
 */
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

static void report_entry_rules(void)
{
	if (!vmx_entry_check(&vmx_capability, get_field, report_rule, NULL))
		pr_err("  None of the rules that Glasshouse checks is broken.\n");
}

void entry_rules_attach(void)
{
	vmx_entry_failure_report = report_entry_rules;
}
