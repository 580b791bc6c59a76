/* SPDX-License-Identifier: MIT */
/*
 * Lab 8, holes 5 and 6: a shadow entry that maps a page. Your file takes the place of
 * shadow/leaf.c. The CPU uses it with CR0.WP = 1 and IA32_EFER.NXE = 1, whatever the guest has set.
 */
#include "shadow/spte.h"

/*
 * Hole 5. The rights of the shadow of a leaf @entry, for whose page all entries of the guest
 * together give @acc.
 *
 *  - Without the guest's dirty flag (PT_D) nobody may write, so that the first write exits, and the
 *    flag can be set. (Not without paging, if mode->levels is 0: there is no flag.)
 *  - @override: the guest's supervisor has just written to a page that is not writable, which is
 *    allowed with its CR0.WP = 0. The entry must be writable (ACC_W), but then not for CPL 3 (no
 *    ACC_U). If it was a user page, the CPU would not know that any more: then it must not be
 *    executable either if mode->smep.
 */
unsigned leaf_rights(const struct paging_mode *mode, unsigned acc, u64 entry, bool override)
{
	(void)mode, (void)entry, (void) override;
	return acc; /* yours to write */
}

/*
 * Hole 6, the first half. The bits of a shadow leaf that say what is allowed: PT_W, PT_U, PT_NX.
 * That is what two sorts of tables both allow: the guest's (@acc: ACC_W, ACC_U, ACC_X) and the
 * second-level ones (@prot: EPT_W, EPT_X). PT_P and PT_A are always 1. PT_D is 1 where PT_W is:
 * then the CPU need not set it.
 */
static u64 rights(unsigned acc, unsigned prot)
{
	(void)acc, (void)prot;
	return 0; /* yours to write */
}

/* Given. */
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

/*
 * Hole 6, the second half. A shadow leaf of @level that maps host-physical @hpa. @leaf is the
 * guest's entry, of @leaf_level. The two levels may differ: a part of a large page of the guest's
 * is mapped by a small one.
 *
 *  - The rights: above.
 *  - PT_PWT, PT_PCD and the protection key (PT_KEY_MASK) are the guest's.
 *  - So is the bit PAT, which is PT_LARGE_PAT in a leaf above level 1, PT_PAT at level 1.
 *  - Above level 1 a leaf has PT_PS.
 */
u64 make_spte(int level, hpa_t hpa, unsigned acc, unsigned prot, u64 leaf, int leaf_level)
{
	(void)level, (void)acc, (void)prot, (void)leaf, (void)leaf_level;
	return hpa; /* yours to write */
}
