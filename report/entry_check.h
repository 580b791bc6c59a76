/* SPDX-License-Identifier: MIT */
/*
 * Finds out why a VM entry failed, which the CPU does not report in detail: checks the fields of a
 * VMCS against the SDM's rules in software. SDM: "Checks on VMX Controls and Host-State Area",
 * "Checking and Loading Guest State". Pure. Not checked are the rules that need memory to be read,
 * such as those on the contents of MSR lists, and those of features that Glasshouse does not use
 * (SMM, Intel PT, LBR, FRED, HLAT).
 */
#ifndef GH_REPORT_ENTRY_CHECK_H
#define GH_REPORT_ENTRY_CHECK_H

#include "vmm/vmx/capability.h"

/*
 * Check all rules for a CPU with the capabilities @cap. @get: returns the value of a VMCS field; it
 * is called only for fields that exist with the controls that are set. @report: called for each
 * broken rule, with @ctx, the title of the SDM's section, the rule's text, the field and its value.
 * Returns the number of broken rules.
 */
unsigned vmx_entry_check(const struct vmx_capability *cap, u64 (*get)(u64 field),
			 void (*report)(void *ctx, const char *section, const char *rule, u64 field,
					u64 value),
			 void *ctx);

/* Make failed VM entries print the broken rules, at error level: sets vmx_entry_failure_report. */
void entry_rules_attach(void);

#endif
