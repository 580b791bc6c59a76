/* SPDX-License-Identifier: MIT */
/*
 * The invariant of the shadow tables: each leaf maps what the guest's entry says that it was made
 * from, and a part of what the second-level tables map there, with no more rights; each other entry
 * leads to a shadow page of the level below. So nothing of the hypervisor's own can be in them. For
 * debug builds.
 *
 * Each change of an entry is checked at once: the entry itself, since what holds for it depends on
 * no other entry. It depends on which pages are in use, and on the second-level tables: when pages
 * are retired or shielded all entries of all pages in use are checked, and when the second-level
 * tables change all are dropped. In case a change is made in another way, all are checked at every
 * CHECK_EACH-th write, too; not more often, since that is up to a million instructions. Pages that
 * are retired are not looked at any more, though a CPU may use them until it flushes its TLB.
 */
#include "lib/log.h"
#include "shadow/shadow.h"

#define CHECK_EACH 256u

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

/* What the guest's entry says that leaf @index of @page was made from. */
static gpa_t leaf_gpa(const struct mmu_page *page, unsigned index)
{
	const struct paging_mode mode = {.entry_size = page->role.levels == 2 ? 4 : 8,
					 .index_bits = page->role.levels == 2 ? 10 : 9};
	int level = page->role.level;
	gpa_t gpa;

	if (page->role.direct)
		return (page->gfn << PAGE_SHIFT) + index * spte_size(level);
	gpa = walk_page(&mode, level, page->gptes[index]);
	/* A page of 4 MiB has two shadow entries. */
	return page->role.levels == 2 && level == 2 ? gpa + (index & 1) * spte_size(level) : gpa;
}

static void check_entry(const struct shadow *shadow, const struct mmu_page *page, unsigned index)
{
	u64 spte = page->spt[index], bit = BIT(index % 64);
	unsigned word = index / 64;
	int level = page->role.level;
	const struct mmu_page *child;

	if (!spte != !(page->present[word] & bit) ||
	    (!spte && (page->local[word] | page->links[word]) & bit))
		panic("the shadow entry %lx of level %d is not counted as it is", spte, level);
	if (!spte)
		return;
	if (is_leaf_spte(spte, level)) {
		shadow_check_leaf(shadow, page, index, leaf_gpa(page, index));
		return;
	}
	child = shadow_child(shadow, spte);
	if ((spte & PT_ADDR) - shadow->spts_pa >= shadow->nr * PAGE_SIZE || !child->used ||
	    child->role.level != level - 1 || !(page->links[word] & bit))
		panic("the shadow entry %lx of level %d leads to no table of the level below", spte,
		      level);
}

void shadow_check_all(const struct shadow *shadow)
{
	for (unsigned i = 0; i < shadow->nr; i++)
		for (unsigned index = 0; shadow->page[i].used && index < SPTE_ENTRIES; index++)
			check_entry(shadow, &shadow->page[i], index);
}

void shadow_check_write(const struct shadow *shadow, const struct mmu_page *page, unsigned index)
{
	static unsigned writes;

	check_entry(shadow, page, index);
	if (++writes % CHECK_EACH == 0)
		shadow_check_all(shadow);
}
