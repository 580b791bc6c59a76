/* SPDX-License-Identifier: MIT */
/*
 * The rare part of the end of an emulated instruction. See skip.h.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "vmm/vmx/skip.h"

/* RFLAGS.TF is set: make a single-step #DB pending, unless the guest only traps branches (BTF). */
static __noinline void end_step(void)
{
	u64 pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS) & ~PENDING_DBG_BS;

	if (!(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF))
		pending |= PENDING_DBG_BS;
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, pending);
}

/* SDM: "Non-Maskable Interrupts", "Debug Exceptions". */
void vmx_end_instruction(u64 rflags, u64 interruptibility)
{
	vmwrite(GUEST_INTERRUPTIBILITY_INFO,
		interruptibility & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (unlikely(rflags & RFLAGS_TF))
		end_step();
}
