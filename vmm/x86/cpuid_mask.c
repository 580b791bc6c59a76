/* SPDX-License-Identifier: MIT */
/*
 * The bits that CPUID hides. See cpuid.h.
 */
#include "vmm/x86/cpuid.h"

void cpuid_mask(const struct cpuid_policy *p, u32 leaf, u32 subleaf, u32 regs[4])
{
	const struct cpuid_hidden *hidden;

	if ((leaf & ~CPUID_EXTENDED) >= CPUID_MAX_LEAVES)
		return;
	if (!cpuid_has_subleaves(leaf))
		subleaf = 0;
	for (u8 i = p->first[leaf >> 31][leaf & ~CPUID_EXTENDED]; i; i = hidden->next) {
		hidden = &p->hidden[i - 1];
		if (hidden->subleaf == subleaf)
			regs[hidden->reg] &= ~hidden->bits;
	}
}
