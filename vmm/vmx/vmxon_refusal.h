/* SPDX-License-Identifier: MIT */
/*
 * Why a CPU cannot enter VMX operation. SDM: "Enabling and Entering VMX Operation".
 */
#ifndef GH_VMXON_REFUSAL_H
#define GH_VMXON_REFUSAL_H

#include "types.h"

#define VMXON_REFUSAL_SIZE 400

/*
 * Can a CPU execute VMXON? @cpuid_vmx: CPUID.1:ECX.VMX. @feature_control: with it, the value of
 * IA32_FEATURE_CONTROL, after an attempt to lock it. Returns true; or false, with the reason and
 * what to do in @why, VMXON_REFUSAL_SIZE bytes: lines as the report "Ready?" has them.
 */
bool can_enter_vmx(bool cpuid_vmx, u64 feature_control, char *why);

#endif
