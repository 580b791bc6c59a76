/* SPDX-License-Identifier: MIT */
/*
 * Why does a VM entry fail? The CPU only says that it did. Here its rules are run in software over
 * the fields of a VMCS: SDM, "Checks on VMX Controls and Host-State Area" and "Checking and Loading
 * Guest State". Pure. Left out are rules that need memory to be read, those of MSR lists' contents,
 * and those of features that are never switched on here (SMM, Intel PT, LBR, FRED, HLAT).
 */
#ifndef GH_REPORT_ENTRY_CHECK_H
#define GH_REPORT_ENTRY_CHECK_H

#include "vmm/vmx/capability.h"

/*
 * Run all rules. @get: a field's value (asked only for fields that exist under the controls that
 * are set). @report: called for each broken rule, with the SDM's section title, the rule in words,
 * the field and its value; @ctx is passed on to it. Returns the number of broken rules.
 */
unsigned vmx_entry_check(const struct vmx_capability *cap, u64 (*get)(u64 field),
			 void (*report)(void *ctx, const char *section, const char *rule, u64 field,
					u64 value),
			 void *ctx);

/* From now on, a VM entry that fails is followed by the rules that are broken, at error level. */
void entry_rules_attach(void);

#endif
