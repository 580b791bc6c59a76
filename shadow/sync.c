/* SPDX-License-Identifier: MIT */
/*
 * Invalidation: compare shadow entries with the guest's.
 */
#include "lib/string.h"
#include "shadow/shadow.h"

/* Entry @index of @page is not what the guest's says now: drop it, or make it from that. */
static __noinline void renew(struct vcpu *vcpu, struct mmu_page *page, unsigned index)
{
	u64 gpte = guest_entry(page, index);

	/* Whose address is not known here. */
	if (gpte & ~page->gptes[index] & PT_G)
		memset(to_shadow(vcpu)->globals, 0xff, sizeof(to_shadow(vcpu)->globals));
	shadow_set_spte(page, index, 0, 0, false);
	if (page->role.level == 1)
		shadow_prefetch(vcpu, page, index, gpte);
}

/* Entries of 8 bytes, 64 of them. This is most of what an invalidation costs. */
static void sync_word(struct vcpu *vcpu, struct mmu_page *page, unsigned word, u64 bits)
{
	const u64 *table = (const u64 *)page->table + word * 64, *gptes = page->gptes + word * 64;

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

/* The pages below the entries @bits of @page that are no leaves. */
static void sync_children(struct vcpu *vcpu, struct mmu_page *page, unsigned word, u64 bits,
			  bool all)
{
	for (; bits; bits &= bits - 1) {
		u64 spte = page->spt[word * 64 + (unsigned)__builtin_ctzll(bits)];

		if (spte & PT_P && !(spte & PT_PS))
			shadow_sync(vcpu, shadow_child(to_shadow(vcpu), spte), all);
	}
}

void shadow_sync(struct vcpu *vcpu, struct mmu_page *page, bool all)
{
	if (!page->table)
		return;
	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		u64 bits = all ? page->present[word] : page->local[word];

		if (!bits)
			continue;
		if (page->role.levels == 2)
			sync_narrow_word(vcpu, page, word, bits);
		else
			sync_word(vcpu, page, word, bits);
		if (page->role.level > 1)
			sync_children(vcpu, page, word, bits, all);
	}
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
