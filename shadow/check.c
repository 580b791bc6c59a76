/* SPDX-License-Identifier: MIT */
/*
 * The invariant of the shadow tables: each leaf is a part of what the second-level tables map, with
 * no more rights; so nothing of the hypervisor's own can be in them. For debug builds.
 */
#include "lib/log.h"
#include "shadow/shadow.h"

void shadow_check_leaf(const struct shadow *shadow, const struct mmu_page *page, unsigned index,
		       gpa_t gpa)
{
	u64 spte = page->spt[index], size = spte_size(page->role.level);
	unsigned prot = EPT_R | (spte & PT_W ? EPT_W : 0) | (spte & PT_NX ? 0 : EPT_X);
	hpa_t hpa = spte & PT_ADDR & ~(size - 1);
	struct ept_mapping map;

	gpa = ALIGN_DOWN(gpa, size);
	for (u64 at = 0; at < size; at += map.size - (map.hpa & (map.size - 1))) {
		if (!ept_walk(&shadow->vm->ept, gpa + at, &map) || map.hpa != hpa + at ||
		    (map.prot & prot) != prot)
			panic("the shadow entry %lx of level %u maps %lx, which is not what the "
			      "second-level tables say",
			      spte, page->role.level, gpa + at);
	}
}
