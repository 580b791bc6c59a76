/* SPDX-License-Identifier: MIT */
/*
 * The names of the exit reasons, and what exits are about. See vmcs.h.
 */
#include "arch/x86/vmx.h"
#include "vmm/vmx/vmcs.h"

const char *exit_about(u32 reason, u64 qualification, u64 *number)
{
	switch (reason & VMX_EXIT_REASONS_BASIC_MASK) {
	case EXIT_REASON_IO_INSTRUCTION:
		*number = IO_QUAL_PORT(qualification);
		return "port";
	case EXIT_REASON_MSR_READ:
	case EXIT_REASON_MSR_WRITE:
	case EXIT_REASON_RDMSR_IMM:
	case EXIT_REASON_WRMSRNS_IMM:
		*number = (u32)qualification;
		return "MSR";
	default:
		return NULL;
	}
}

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
