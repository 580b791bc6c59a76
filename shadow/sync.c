/* SPDX-License-Identifier: MIT */
/*
 * Invalidation: compare shadow entries with the guest's.
 */
#include "shadow/shadow.h"

/* Is entry @index of @page, which is present, still what the guest's says? If not, it is dropped,
 * or made from that. */
static bool check(struct vcpu *vcpu, struct mmu_page *page, unsigned index)
{
	u64 gpte = guest_entry(page, index);

	if (likely(gpte == page->gptes[index]))
		return true;
	shadow_set_spte(page, index, 0, 0, false);
	if (page->role.level == 1)
		shadow_prefetch(vcpu, page, index, gpte);
	return false;
}

void shadow_sync(struct vcpu *vcpu, struct mmu_page *page, bool all)
{
	if (!page->table)
		return;
	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		for (u64 bits = all ? page->present[word] : page->local[word]; bits;
		     bits &= bits - 1) {
			unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
			u64 spte = page->spt[index];

			if (check(vcpu, page, index) && !is_leaf_spte(spte, page->role.level))
				shadow_sync(vcpu, shadow_child(to_shadow(vcpu), spte), all);
		}
	}
}

void shadow_sync_address(struct vcpu *vcpu, struct mmu_page *root, gva_t gva)
{
	struct mmu_page *page = root;

	for (;;) {
		int level = page->role.level;
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];

		if (!(spte & PT_P) || (page->table && !check(vcpu, page, index)) ||
		    is_leaf_spte(spte, level))
			return;
		page = shadow_child(to_shadow(vcpu), spte);
	}
}
