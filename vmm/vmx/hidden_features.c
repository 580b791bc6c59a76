/* SPDX-License-Identifier: MIT */
/*
 * What guests do not get: the features of hidden_features.def, with their CPUID bits, control
 * register bits and MSRs.
 */
#include "arch/x86/msr_index.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/cpuid.h"

enum feature {
#define HIDDEN_FEATURE(id, name, when, why) FEATURE_##id,
#include "vmm/vmx/hidden_features.def"
};

static const struct {
	enum feature feature;
	u32 leaf, subleaf;
	enum cpuid_reg reg;
	u32 bits;
} cpuid_rows[] = {
#define HIDDEN_CPUID(id, leaf, subleaf, reg, bits) \
	{FEATURE_##id, leaf, subleaf, CPUID_##reg, (u32)(bits)},
#include "vmm/vmx/hidden_features.def"
};

static const struct {
	enum feature feature;
	u64 cr4, xstate;
} register_rows[] = {
#define HIDDEN_CR4(id, bits)    {FEATURE_##id, bits, 0},
#define HIDDEN_XSTATE(id, bits) {FEATURE_##id, 0, bits},
#include "vmm/vmx/hidden_features.def"
};

static const struct {
	enum feature feature;
	u32 first, last, step;
} msr_rows[] = {
#define HIDDEN_MSRS(id, first, last, step) {FEATURE_##id, first, last, step},
#include "vmm/vmx/hidden_features.def"
};

static void hide(struct vm *vm, enum feature feature, const char *name, const char *why)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cpuid_rows); i++)
		if (cpuid_rows[i].feature == feature)
			cpuid_hide(vm, cpuid_rows[i].leaf, cpuid_rows[i].subleaf, cpuid_rows[i].reg,
				   cpuid_rows[i].bits, name, why);
	for (unsigned i = 0; i < ARRAY_SIZE(register_rows); i++) {
		if (register_rows[i].feature != feature)
			continue;
		vm->cpuid->hidden_cr4 |= register_rows[i].cr4;
		vm->cpuid->hidden_xstate |= register_rows[i].xstate;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(msr_rows); i++)
		if (msr_rows[i].feature == feature)
			cpuid_hide_msrs(vm, msr_rows[i].first, msr_rows[i].last, msr_rows[i].step);
}

void vmx_hide_features(struct vm *vm)
{
	const struct vmcs_config *c = &vmcs_config;
	const struct vmx_capability *cap = &vmx_capability;
	u32 proc2 = c->cpu_based_2nd_exec_ctrl;

#define HIDDEN_FEATURE(id, name, when, why) \
	if (when)                           \
		hide(vm, FEATURE_##id, name, why);
#include "vmm/vmx/hidden_features.def"
}
