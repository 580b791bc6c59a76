/* SPDX-License-Identifier: MIT */
/*
 * What guests do not get: the features of hidden.def, with their CPUID bits, control register bits
 * and MSRs.
 */
#include "arch/x86/msr_index.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/cpuid.h"

enum feature {
#define HIDDEN_FEATURE(id, name, when, why) FEATURE_##id,
#define HIDDEN_CPUID(id, leaf, subleaf, reg, bits)
#define HIDDEN_CR4(id, bits)
#define HIDDEN_XSTATE(id, bits)
#define HIDDEN_MSRS(id, first, last, step)
#include "vmm/vmx/hidden.def"
#undef HIDDEN_FEATURE
#undef HIDDEN_CPUID
#undef HIDDEN_CR4
#undef HIDDEN_XSTATE
#undef HIDDEN_MSRS
	NR_FEATURES
};

/* One feature: all its rows, of which each is one statement. */
static void hide_feature(struct vm *vm, enum feature feature, const char *name, const char *why)
{
#define HIDDEN_FEATURE(id, name, when, why)
#define HIDDEN_CPUID(id, leaf, subleaf, reg, bits) \
	if (feature == FEATURE_##id)               \
		cpuid_hide(vm, leaf, subleaf, CPUID_##reg, bits, name, why);
#define HIDDEN_CR4(id, bits)         \
	if (feature == FEATURE_##id) \
		vm->cpuid->hidden_cr4 |= bits;
#define HIDDEN_XSTATE(id, bits)      \
	if (feature == FEATURE_##id) \
		vm->cpuid->hidden_xstate |= bits;
#define HIDDEN_MSRS(id, first, last, step) \
	if (feature == FEATURE_##id)       \
		cpuid_hide_msrs(vm, first, last, step);
#include "vmm/vmx/hidden.def"
#undef HIDDEN_FEATURE
#undef HIDDEN_CPUID
#undef HIDDEN_CR4
#undef HIDDEN_XSTATE
#undef HIDDEN_MSRS
}

void vmx_hide_features(struct vm *vm)
{
	const struct vmcs_config *c = &vmcs_config;
	const struct vmx_capability *cap = &vmx_capability;
	u32 proc2 = c->cpu_based_2nd_exec_ctrl;

#define HIDDEN_FEATURE(id, name, when, why) \
	if (when)                           \
		hide_feature(vm, FEATURE_##id, name, why);
#define HIDDEN_CPUID(id, leaf, subleaf, reg, bits)
#define HIDDEN_CR4(id, bits)
#define HIDDEN_XSTATE(id, bits)
#define HIDDEN_MSRS(id, first, last, step)
#include "vmm/vmx/hidden.def"
}
