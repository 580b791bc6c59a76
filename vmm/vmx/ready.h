/* SPDX-License-Identifier: MIT */
/*
 * The report "Ready?": in plain words, what a CPU's VT-x can do for us, what it lacks and what that
 * costs. Pure: works on a struct vmx_capability that was read before.
 */
#ifndef GH_VMM_VMX_READY_H
#define GH_VMM_VMX_READY_H

#include "vmm/vmx/capability.h"

/*
 * Print the report on @cpu and compute the controls in @config, as setup_vmcs_config does.
 * @brand: the CPU's brand string, may be NULL. Returns 0 when VM 0 can run, else, with the reason
 * and the remedy printed, -ENODEV (no VT-x, or off in the firmware) or -EOPNOTSUPP (a control is
 * missing).
 */
int ready_report(const struct vmx_capability *cap, struct vmcs_config *config, const char *brand,
		 unsigned cpu);

#endif
