/* SPDX-License-Identifier: MIT */
/*
 * Printing of the current VMCS.
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "lib/pages.h"
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

/* The values of all fields at the last call with mark: now, if this is the first. NULL: no memory.
 */
static u64 *seen(struct vcpu_vmx *vmx)
{
	bool ok;

	if (!vmx->seen) {
		vmx->seen = vmcs_field_count * sizeof(u64) <= PAGE_SIZE ? page_alloc() : NULL;
		for (unsigned i = 0; vmx->seen && i < vmcs_field_count; i++)
			if (vmcs_field_exists(&vmcs_fields[i], &vmx_capability))
				vmx->seen[i] = read_field(vmcs_fields[i].encoding, &ok);
	}
	return vmx->seen;
}

static bool is_here(struct vcpu *vcpu)
{
	return to_vmx(vcpu)->loaded && vcpu->cpu == this_cpu();
}

bool vmx_each_field(struct vcpu *vcpu, const char *part, emit_field *emit)
{
	return is_here(vcpu) &&
	       vmcs_each_field(&vmx_capability, part, read_field, seen(to_vmx(vcpu)), emit);
}

bool vmx_dump(struct vcpu *vcpu, const char *part, bool mark)
{
	if (!is_here(vcpu))
		return false;
	if (part && !strcmp(part, "check") && vmx_entry_failure_report) {
		vmx_entry_failure_report();
		return true;
	}
	return vmcs_dump(&vmx_capability, part, read_field, mark ? seen(to_vmx(vcpu)) : NULL,
			 emit_line);
}
