/* SPDX-License-Identifier: MIT */
/*
 * A shadow entry that maps a page. See spte.h.
 */
#include "shadow/spte.h"

unsigned leaf_rights(const struct paging_mode *mode, unsigned acc, u64 entry, bool override)
{
	if (!(entry & PT_D) && mode->levels)
		acc &= ~ACC_W;
	if (!override)
		return acc;
	if (mode->smep && acc & ACC_U)
		acc &= ~ACC_X;
	return (acc | ACC_W) & ~ACC_U;
}

/* What the guest's tables and the second-level tables both allow. */
static u64 rights(unsigned acc, unsigned prot)
{
	u64 bits = PT_P | PT_A | (acc & ACC_U);

	if (acc & ACC_W && prot & EPT_W)
		bits |= PT_W | PT_D;
	if (!(acc & ACC_X) || !(prot & EPT_X))
		bits |= PT_NX;
	return bits;
}

u64 make_direct_spte(union mmu_role role, int level, hpa_t hpa, unsigned prot)
{
	u64 spte = hpa | rights(role.acc, prot) | (u64)role.key << 59;

	if (role.pwt)
		spte |= PT_PWT;
	if (role.pcd)
		spte |= PT_PCD;
	if (level > 1)
		return spte | PT_PS | (role.pat ? PT_LARGE_PAT : 0);
	return spte | (role.pat ? PT_PAT : 0);
}

u64 make_spte(int level, hpa_t hpa, unsigned acc, unsigned prot, u64 leaf, int leaf_level)
{
	u64 spte = hpa | rights(acc, prot) | (leaf & (PT_PWT | PT_PCD | PT_KEY_MASK));

	if (leaf & (leaf_level > 1 ? PT_LARGE_PAT : PT_PAT))
		spte |= level > 1 ? PT_LARGE_PAT : PT_PAT;
	return level > 1 ? spte | PT_PS : spte;
}
