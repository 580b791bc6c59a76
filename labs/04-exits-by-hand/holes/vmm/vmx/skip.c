/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, hole 2: the rare part of the end of an emulated instruction. Your file takes the place of
 * vmm/vmx/skip.c.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "lib/log.h"
#include "vmm/vmx/skip.h"

/*
 * Hole 2. An instruction that the CPU executes itself has effects beyond its own. Now that you have
 * executed it, they are yours. @rflags and @interruptibility are GUEST_RFLAGS and
 * GUEST_INTERRUPTIBILITY_INFO, as they were during the instruction.
 *
 *  - RFLAGS.RF, which keeps one instruction from stopping at a breakpoint, is 0 afterwards.
 *  - STI and MOV SS hold off interrupts for one instruction (GUEST_INTR_STATE_STI,
 *    GUEST_INTR_STATE_MOV_SS): that is over. The blocking by an NMI is not.
 *  - If RFLAGS.TF was set, a single-step trap follows: PENDING_DBG_BS in
 *    GUEST_PENDING_DBG_EXCEPTIONS, whose other bits stay. But not while the guest traps
 *    branches only (DEBUGCTLMSR_BTF in GUEST_IA32_DEBUGCTL): then the bit is 0. If TF was not
 *    set, the field stays.
 *
 * SDM: "Debug Exceptions", "Guest Non-Register State".
 */
void vmx_end_instruction(u64 rflags, u64 interruptibility)
{
	(void)rflags, (void)interruptibility;
	pr_warn_ratelimited("Lab 4: vmx_end_instruction() is yours to write.");
}
