/* SPDX-License-Identifier: MIT */
/*
 * The names of the exit reasons. See vmcs.h.
 */
#include "arch/x86/vmx.h"
#include "vmm/vmx/vmcs.h"

const char *exit_reason_name(u32 reason)
{
	static const char *const names[NR_EXIT_REASONS] = {
#define EXIT_REASON(name, number) [number] = #name,
#include "vmm/vmx/exit_reasons.def"
#undef EXIT_REASON
	};
	u32 basic = reason & VMX_EXIT_REASONS_BASIC_MASK;

	return basic < NR_EXIT_REASONS && names[basic] ? names[basic] : "unknown";
}
