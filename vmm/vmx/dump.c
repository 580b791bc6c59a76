/* SPDX-License-Identifier: MIT */
/*
 * Printing of the current VMCS.
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/vmx/vmcs_text.h"
#include "vmm/vmx/vmx.h"

static u64 read_field(u64 field, bool *ok)
{
	u64 value;

	*ok = !vmread_safe(field, &value);
	return value;
}

static void emit_line(const char *line)
{
	pr_err("%s\n", line);
}

bool vmx_dump(struct vcpu *vcpu, const char *part)
{
	if (!to_vmx(vcpu)->loaded || vcpu->cpu != this_cpu())
		return false;
	if (part && !strcmp(part, "check") && vmx_entry_failure_report) {
		vmx_entry_failure_report();
		return true;
	}
	return vmcs_dump(&vmx_capability, part, read_field, emit_line);
}
