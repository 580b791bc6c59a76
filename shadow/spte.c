/* SPDX-License-Identifier: MIT */
/*
 * Which shadow page is for which table. See spte.h.
 */
#include "shadow/spte.h"

union mmu_role root_role(const struct paging_mode *mode, unsigned quadrant, unsigned owner)
{
	union mmu_role role = {.word = 0};

	role.level = mode->levels > 3 ? mode->levels : 2;
	role.direct = !mode->levels;
	role.acc = ACC_ALL;
	if (role.direct)
		return role;
	role.levels = mode->levels;
	role.quadrant = mode->levels == 2 ? quadrant : 0;
	role.pse = mode->levels == 2 && mode->pse;
	role.nx = mode->nx;
	role.wp = mode->wp;
	role.smep = !mode->wp && mode->smep;
	role.smap = !mode->wp && (mode->smap || mode->pke);
	role.owner = role.smap ? owner & 0x7fff : 0;
	return role;
}

bool is_role_of(union mmu_role role, const struct paging_mode *mode)
{
	union mmu_role root = root_role(mode, role.quadrant, role.owner);

	root.level = role.level;
	root.acc = role.acc;
	root.quadrant = role.quadrant;
	return role.word == root.word;
}

union mmu_role table_role(union mmu_role parent, unsigned acc, gva_t gva)
{
	union mmu_role role = parent;

	role.level = parent.level - 1u;
	role.acc = acc & ACC_ALL;
	if (parent.levels == 2)
		role.quadrant = gva >> 21 & 1;
	return role;
}

union mmu_role direct_role(int level, unsigned acc, u64 leaf, int leaf_level)
{
	union mmu_role role = {.word = 0};

	role.level = (unsigned)level & 7;
	role.direct = 1;
	role.acc = acc & ACC_ALL;
	if (!leaf_level) /* no paging */
		return role;
	role.pwt = !!(leaf & PT_PWT);
	role.pcd = !!(leaf & PT_PCD);
	role.pat = !!(leaf & (leaf_level > 1 ? PT_LARGE_PAT : PT_PAT));
	role.global = !!(leaf & PT_G);
	role.key = leaf >> 59 & 15;
	return role;
}
