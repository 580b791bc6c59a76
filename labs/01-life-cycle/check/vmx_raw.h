/* SPDX-License-Identifier: MIT */
/*
 * The state of VMX operation, as instructions tell it.
 */
#ifndef GH_LABS_01_VMX_RAW_H
#define GH_LABS_01_VMX_RAW_H

#include "arch/x86/vmx_entry.h"
#include "arch/x86/vmx_insn.h"
#include "vmm/vmx/vmcs.h"

#define VMXERR_VMRESUME_NONLAUNCHED_VMCS 5

/* The physical address of the current VMCS, ~0: there is none. #UD outside of VMX operation. */
static inline u64 current_vmcs(void)
{
	u64 pa;

	asm volatile("vmptrst %0" : "=m"(pa) : : "cc", "memory");
	return pa;
}

/*
 * Is the launch state of the current VMCS clear? Of VMLAUNCH's checks, that of the launch state
 * comes first. Here it always fails, at the latest because no CPU allows these controls. Afterwards
 * the VMCS must be cleared or initialised. SDM: "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine".
 */
static inline bool vmcs_is_clear(void)
{
	bool cf, zf;

	vmwrite(PIN_BASED_VM_EXEC_CONTROL, 0);
	asm volatile("vmlaunch" : "=@ccc"(cf), "=@ccz"(zf) : : "memory");
	return !cf && zf && vmread(VM_INSTRUCTION_ERROR) != VMXERR_VMLAUNCH_NONCLEAR_VMCS;
}

#endif
