/* SPDX-License-Identifier: MIT */
/*
 * The encodings of the VMCS fields and the exit reasons, from the tables vmcs_fields.def and
 * exit_reasons.def. vmcs_text.h has the lookups and the dump.
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
	NR_EXIT_REASONS /* the highest number plus one: the size of the table of handlers */
};

/*
 * Returns the name of an exit reason without EXIT_REASON_, such as "EPT_VIOLATION", or "unknown".
 * @reason: the value of VM_EXIT_REASON; only the basic reason, bits 15:0, is used.
 */
const char *exit_reason_name(u32 reason);
/* See virt_ops.exit_about. @reason, @qualification: of an exit_record. */
const char *exit_about(u32 reason, u64 qualification, u64 *number);

#endif
