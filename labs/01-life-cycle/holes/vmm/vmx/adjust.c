/* SPDX-License-Identifier: MIT */
/*
 * Lab 1, holes 1 and 2: what a CPU allows. Your file takes the place of vmm/vmx/adjust.c.
 */
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/vmx/capability.h"

/*
 * Hole 1. A control is a bit of a word in the VMCS. For each word the CPU has an MSR (@capability):
 *   bits 31:0   "allowed 0-settings": a bit that is 1 here must be 1 in the word
 *   bits 63:32  "allowed 1-settings": a bit that is 0 here must be 0 in the word
 * @min: the bits without which Glasshouse cannot run. @opt: those that it uses if the CPU has them.
 *
 * Store the word in *@result: the bits of @min and @opt that may be 1, and all bits that must be 1.
 * Return -EOPNOTSUPP if a bit of @min may not be 1, otherwise 0. Store the word in any case.
 */
int adjust_vmx_controls(u32 min, u32 opt, u64 capability, u32 *result)
{
	(void)min, (void)opt, (void)capability;
	pr_info("Lab 1: adjust_vmx_controls() is yours to write.\n");
	*result = 0;
	return -EOPNOTSUPP;
}

/*
 * Hole 2. VMXON is #GP unless the MSR IA32_FEATURE_CONTROL (MSR_IA32_FEAT_CTL) allows it and is
 * locked. Firmware usually does both. This is called when it has left the MSR unlocked; its value
 * is then cap->feature_control.
 *
 * Write to the MSR, by @wrmsr_safe, which returns 0, or an error if the CPU refuses the value by
 * #GP. The value has
 *   1. the bits that are set already;
 *   2. FEAT_CTL_LOCKED and FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
 *   3. FEAT_CTL_SGX_ENABLED if the CPU has SGX (@sgx);
 *   4. FEAT_CTL_SGX_LC_ENABLED if it has SGX and SGX's launch control (@sgx_lc).
 * Nobody can set the last two later, for the MSR is locked then. A CPU may refuse them: then write
 * the value without both. Store what you have written in cap->feature_control, and return true. If
 * the CPU refuses everything, change nothing and return false.
 */
bool vmx_lock_feature_control(struct vmx_capability *cap, bool sgx, bool sgx_lc,
			      int (*wrmsr_safe)(u32 msr, u64 value))
{
	(void)cap, (void)sgx, (void)sgx_lc, (void)wrmsr_safe;
	pr_info("Lab 1: vmx_lock_feature_control() is yours to write.\n");
	return false;
}
