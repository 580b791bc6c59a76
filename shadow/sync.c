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
	if (unlikely(page->shielded)) /* not by a CPU's write */
		shadow_unshield(to_shadow(vcpu), page->gfn);
	if (page->links[index / 64] & BIT(index % 64))
		to_shadow(vcpu)->epoch++;
	shadow_set_spte(to_shadow(vcpu), page, index, 0, 0, false);
	/* A page that becomes global waits for a fault, which tells its address. */
	if (gpte & PT_P && page->role.level == 1 && !(gpte & ~old & PT_G))
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

/* Returns true if it is known that @page and all below are shielded. @trust: those are not
 * compared.
 * @visit: see shadow_visit(). */
static bool sync_tree(struct vcpu *vcpu, struct mmu_page *page, bool all, bool trust, u64 visit)
{
	struct shadow *shadow = to_shadow(vcpu);
	bool quiet;

	if (!page->table || (trust && page->quiet == shadow->epoch))
		return true;
	if (!shadow_visit(page, visit))
		return page->quiet == shadow->epoch;
	if (!trust || !page->shielded)
		shadow_sync_page(vcpu, page, all);
	quiet = page->shielded;
	for (unsigned word = 0; page->role.level > 1 && word < BITMAP_WORDS; word++) {
		for (u64 bits = page->links[word]; bits; bits &= bits - 1) {
			unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);

			if (!sync_tree(vcpu, shadow_child(shadow, page->spt[index]), all, trust,
				       visit))
				quiet = false;
		}
	}
	if (quiet)
		page->quiet = shadow->epoch;
	return quiet;
}

void shadow_sync(struct vcpu *vcpu, struct mmu_page *page, bool all)
{
	sync_tree(vcpu, page, all, true, ++to_shadow(vcpu)->visit);
}

void shadow_sync_again(struct vcpu *vcpu, struct mmu_page *page)
{
	sync_tree(vcpu, page, true, false, ++to_shadow(vcpu)->visit);
}

/* What there is no room for it counts. */
static void note_link(struct link_list *list, const u64 *entry, u64 value)
{
	if (list->nr < NR_LINKS) {
		list->link[list->nr].entry = entry;
		list->link[list->nr].value = value;
	}
	list->nr++;
}

/* Compare @page's entries that point to tables, and those below, and note in @list those that the
 * guest can change without being seen. */
static void sync_links(struct vcpu *vcpu, struct mmu_page *page, struct link_list *list, u64 visit)
{
	if (!shadow_visit(page, visit))
		return;
	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		for (u64 bits = page->links[word]; bits; bits &= bits - 1) {
			unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
			struct mmu_page *child = shadow_child(to_shadow(vcpu), page->spt[index]);

			if (!child->table) /* a part of a page, or of nothing */
				continue;
			if (guest_entry(page, index) != page->gptes[index]) {
				renew(vcpu, page, index);
				continue;
			}
			if (!page->shielded)
				note_link(list, (const u64 *)page->table + index,
					  page->gptes[index]);
			if (child->role.level > 1)
				sync_links(vcpu, child, list, visit);
		}
	}
}

static bool is_list_current(const struct link_list *list, const struct mmu_page *root, u64 epoch)
{
	if (list->root != root || list->epoch != epoch)
		return false;
	for (unsigned i = 0; i < list->nr; i++)
		if (READ_ONCE(*list->link[i].entry) != list->link[i].value)
			return false;
	return true;
}

void shadow_sync_links(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct link_list *list = &v->links;
	bool pae = has_pae_root(&v->mode);
	u64 visit;

	if (is_list_current(list, v->root[0], to_shadow(vcpu)->epoch))
		return;
	list->nr = 0;
	visit = ++to_shadow(vcpu)->visit;
	for (unsigned n = 0; n < (pae ? 4 : 1); n++)
		if (v->root[n] && v->root[n]->table)
			sync_links(vcpu, v->root[n], list, visit);
	list->root = pae || list->nr > NR_LINKS ? NULL : v->root[0];
	list->epoch = to_shadow(vcpu)->epoch;
}

void shadow_drop_leaf(struct vcpu *vcpu, gva_t gva)
{
	struct mmu_page *page = shadow_root_of(vcpu, gva);

	while (page) {
		int level = page->role.level;
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];
		struct mmu_page *child;

		if (!(spte & PT_P))
			return;
		if (is_leaf_spte(spte, level)) {
			shadow_set_spte(to_shadow(vcpu), page, index, 0, 0, false);
			return;
		}
		child = shadow_child(to_shadow(vcpu), spte);
		if (child->role.direct && !page->role.direct) {
			to_shadow(vcpu)->epoch++;
			shadow_set_spte(to_shadow(vcpu), page, index, 0, 0, false);
			return;
		}
		page = child;
	}
}

void shadow_sync_address(struct vcpu *vcpu, struct mmu_page *page, gva_t gva)
{
	const struct shadow *shadow = to_shadow(vcpu);
	bool narrow = page->role.levels == 2;

	for (int level = page->role.level;; level--) {
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];

		/* A page of 4 MiB has two shadow entries. SDM: "Details of TLB Use". */
		if (narrow && level == 2 && page->table && shadow_is_stale(page, index ^ 1))
			renew(vcpu, page, index ^ 1);
		if (!(spte & PT_P))
			return;
		if (page->table &&
		    shadow_guest_entry(page, level, index, narrow) != page->gptes[index]) {
			renew(vcpu, page, index);
			return;
		}
		if (is_leaf_spte(spte, level))
			return;
		page = shadow_child(shadow, spte);
	}
}
