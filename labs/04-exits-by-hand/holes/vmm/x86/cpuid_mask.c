/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, hole 7: hiding features. Your file takes the place of vmm/x86/cpuid_mask.c.
 */
#include "vmm/x86/cpuid.h"

/*
 * Hole 7. @regs are the CPU's answer to CPUID with @leaf in EAX and @subleaf in ECX: EAX, EBX, ECX,
 * EDX (enum cpuid_reg). Clear the bits that the guest is not to see. They are in p->hidden[]
 * (struct cpuid_hidden), chained by leaf: p->first[0] is indexed by the basic leaves, p->first[1]
 * by the extended ones (from 80000000h on; the index is what is left without that bit), both below
 * CPUID_MAX_LEAVES. It is the index of the leaf's first entry in p->hidden[], plus 1; 0: there is
 * none. An entry's next is the same for the next entry of this leaf.
 *
 * Leaves 7, Dh and 23h have subleaves: an entry is for the one that it names. The entries of all
 * other leaves have subleaf 0, and are for each value of ECX.
 */
void cpuid_mask(const struct cpuid_policy *p, u32 leaf, u32 subleaf, u32 regs[4])
{
	(void)p, (void)leaf, (void)subleaf, (void)regs; /* yours to write */
}
