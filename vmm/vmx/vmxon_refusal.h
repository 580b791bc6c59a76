/* SPDX-License-Identifier: MIT */
/*
 * Why a CPU cannot enter VMX operation. SDM: "Enabling and Entering VMX Operation".
 */
#ifndef GH_VMXON_REFUSAL_H
#define GH_VMXON_REFUSAL_H

#include "types.h"

#define VMXON_REFUSAL_SIZE 400

/*
 * Can a CPU execute VMXON? @cpuid_vmx: CPUID.1:ECX.VMX; without it, @feature_control does not
 * count.
 * @feature_control: the value of IA32_FEATURE_CONTROL, after an attempt to lock it. Returns true;
 * or false, with the reason and what to do in @why, VMXON_REFUSAL_SIZE bytes: several lines, the
 * first of which continues the caller's, "  VT-x      ".
 */
bool can_enter_vmx(bool cpuid_vmx, u64 feature_control, char *why);

#endif
