/* SPDX-License-Identifier: MIT */
/*
 * The VMCS by name: one table (vmcs_fields.def) yields the encodings here, the lookups and
 * the dump in vmcs_text.h.
 */
#ifndef GH_VMM_VMX_VMCS_H
#define GH_VMM_VMX_VMCS_H

#include "types.h"

/* The fields' encodings: GUEST_RIP, VM_EXIT_REASON and so on. */
enum vmcs_field {
#define VMCS_FIELD(name, encoding, word, bit) name = (encoding),
#include "vmm/vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

/* The basic exit reasons: EXIT_REASON_CPUID and so on. */
enum exit_reason {
#define EXIT_REASON(name, number) EXIT_REASON_##name = (number),
#include "vmm/vmx/exit_reasons.def"
#undef EXIT_REASON
	NR_EXIT_REASONS /* one more than the greatest: the size of a table of handlers */
};

/*
 * The name of an exit reason, without EXIT_REASON_: "EPT_VIOLATION"; "unknown" for the others.
 * @reason: VM_EXIT_REASON as read; only the basic reason, bits 15:0, counts.
 */
const char *exit_reason_name(u32 reason);

#endif
