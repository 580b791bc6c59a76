/* SPDX-License-Identifier: MIT */
/*
 * The report "Ready?": which VMX features a CPU has and lacks, and the consequences. Pure: it uses
 * a struct vmx_capability that was read before.
 */
#ifndef GH_VMM_VMX_READY_H
#define GH_VMM_VMX_READY_H

#include "vmm/vmx/capability.h"

/*
 * Print the report about CPU number @cpu, with the capabilities @cap, and compute the controls in
 * @config, as setup_vmcs_config() does, for @use_ept. @brand: the CPU's brand string, may be NULL.
 * Returns 0 if the CPU can run VM 0, -ENODEV (no VT-x, or off in the firmware) or -EOPNOTSUPP (a
 * required feature is missing). Reasons and remedies are printed.
 */
int ready_report(const struct vmx_capability *cap, bool use_ept, struct vmcs_config *config,
		 const char *brand, unsigned cpu);

#endif
