/* SPDX-License-Identifier: MIT */
/*
 * Invalidation: compare shadow entries with the guest's.
 */
#include "shadow/shadow.h"

/* Entry @index of @page is not what the guest's says now: drop it, or make it from that. */
static __noinline void renew(struct vcpu *vcpu, struct mmu_page *page, unsigned index)
{
	u64 gpte = guest_entry(page, index), old = page->gptes[index];

	page->calm = 0;
	if (page->links[index / 64] & BIT(index % 64))
		to_shadow(vcpu)->epoch++;
	shadow_set_spte(page, index, 0, 0, false);
	/* A page that becomes global waits for a fault, which tells its address. */
	if (page->role.level == 1 && !(gpte & ~old & PT_G))
		shadow_prefetch(vcpu, page, index, gpte);
}

/* Entries of 8 bytes, 64 of them. This is most of what an invalidation costs. */
static void sync_word(struct vcpu *vcpu, struct mmu_page *page, unsigned word, u64 bits)
{
	size_t first = (size_t)word * 64;
	const u64 *table = (const u64 *)page->table + first, *gptes = page->gptes + first;

	for (; bits; bits &= bits - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(bits);

		if (unlikely(READ_ONCE(table[bit]) != gptes[bit]))
			renew(vcpu, page, word * 64 + bit);
	}
}

static void sync_narrow_word(struct vcpu *vcpu, struct mmu_page *page, unsigned word, u64 bits)
{
	for (; bits; bits &= bits - 1) {
		unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);

		if (guest_entry(page, index) != page->gptes[index])
			renew(vcpu, page, index);
	}
}

void shadow_sync_page(struct vcpu *vcpu, struct mmu_page *page, bool all)
{
	if (page->calm < UINT8_MAX)
		page->calm++;
	to_shadow(vcpu)->work++;
	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		u64 bits = all ? page->present[word] : page->local[word];

		if (!bits)
			continue;
		if (page->role.levels == 2)
			sync_narrow_word(vcpu, page, word, bits);
		else
			sync_word(vcpu, page, word, bits);
	}
}

/* Returns true if @page and all below are shielded. */
static bool sync_tree(struct vcpu *vcpu, struct mmu_page *page, bool all)
{
	struct shadow *shadow = to_shadow(vcpu);
	bool quiet;

	if (!page->table || page->quiet == shadow->epoch)
		return true;
	if (!page->shielded)
		shadow_sync_page(vcpu, page, all);
	quiet = page->shielded;
	for (unsigned word = 0; page->role.level > 1 && word < BITMAP_WORDS; word++) {
		for (u64 bits = page->links[word]; bits; bits &= bits - 1) {
			unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);

			if (!sync_tree(vcpu, shadow_child(shadow, page->spt[index]), all))
				quiet = false;
		}
	}
	if (quiet)
		page->quiet = shadow->epoch;
	return quiet;
}

void shadow_sync(struct vcpu *vcpu, struct mmu_page *page, bool all)
{
	sync_tree(vcpu, page, all);
}

void shadow_drop_leaf(struct vcpu *vcpu, gva_t gva)
{
	struct mmu_page *page = shadow_root_of(vcpu, gva);

	while (page) {
		int level = page->role.level;
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];

		if (!(spte & PT_P))
			return;
		if (is_leaf_spte(spte, level)) {
			shadow_set_spte(page, index, 0, 0, false);
			return;
		}
		page = shadow_child(to_shadow(vcpu), spte);
	}
}

void shadow_sync_address(struct vcpu *vcpu, struct mmu_page *root, gva_t gva)
{
	struct mmu_page *page = root;

	for (;;) {
		int level = page->role.level;
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];

		if (!(spte & PT_P))
			return;
		if (page->table && guest_entry(page, index) != page->gptes[index]) {
			renew(vcpu, page, index);
			return;
		}
		if (is_leaf_spte(spte, level))
			return;
		page = shadow_child(to_shadow(vcpu), spte);
	}
}
