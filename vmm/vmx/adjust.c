/* SPDX-License-Identifier: MIT */
/*
 * What a CPU allows: the controls that may be set, and VMXON itself. Pure. See capability.h.
 */
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "vmm/vmx/capability.h"

int adjust_vmx_controls(u32 min, u32 opt, u64 capability, u32 *result)
{
	u32 must = (u32)capability, may = (u32)(capability >> 32);

	*result = ((min | opt) & may) | must;
	return min & ~may ? -EOPNOTSUPP : 0;
}

/* CPUID may show SGX although the firmware has not activated it; then its bits are #GP. SDM:
 * "Intel SGX Opt-In Configuration". */
bool vmx_lock_feature_control(struct vmx_capability *cap, bool sgx, bool sgx_lc,
			      int (*wrmsr_safe)(u32 msr, u64 value))
{
	u64 value = cap->feature_control | FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	u64 more = sgx ? FEAT_CTL_SGX_ENABLED : 0;

	if (sgx && sgx_lc)
		more |= FEAT_CTL_SGX_LC_ENABLED;
	if (!wrmsr_safe(MSR_IA32_FEAT_CTL, value | more))
		value |= more;
	else if (!more || wrmsr_safe(MSR_IA32_FEAT_CTL, value))
		return false;
	cap->feature_control = value;
	return true;
}
