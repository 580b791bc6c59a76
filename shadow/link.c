/* SPDX-License-Identifier: MIT */
/*
 * Shadow entries are written: leaves, also those around a fault, and links to tables.
 */
#include "debug_build.h"
#include "shadow/fix.h"

/* How many entries around a fault are made together, if the guest has used them. */
#define PREFETCH 8u

/* ept_walk(), which mostly finds what the last one has found. */
static bool second_level_walk(struct shadow *shadow, gpa_t gpa, struct ept_mapping *map)
{
	struct ept_mapping *last = &shadow->last;

	if (!last->size || ALIGN_DOWN(gpa, last->size) != shadow->last_gpa) {
		last->size = 0;
		if (!ept_walk(&shadow->vm->ept, gpa, map))
			return false;
		*last = *map;
		last->hpa = ALIGN_DOWN(map->hpa, map->size);
		shadow->last_gpa = ALIGN_DOWN(gpa, map->size);
	}
	*map = *last;
	map->hpa += gpa - shadow->last_gpa;
	return true;
}

bool shadow_second_level(struct shadow *shadow, gpa_t gpa, unsigned need, struct ept_mapping *map)
{
	if (second_level_walk(shadow, gpa, map) && (map->prot & need) == need)
		return true;
	shadow->last.size = 0; /* it may be allowed meanwhile */
	return second_level_walk(shadow, gpa, map) && (map->prot & need) == need;
}

void shadow_write_leaf(const struct shadow *shadow, struct mmu_page *page, unsigned index, u64 spte,
		       u64 gpte, gpa_t gpa)
{
	if (page->role.level == 1 && spte & PT_W &&
	    shadow_is_shielded(shadow, (spte & PT_ADDR) >> PAGE_SHIFT))
		spte &= ~(PT_W | PT_D);
	shadow_set_spte(shadow, page, index, spte, gpte, gpte & PT_G);
	if (DEBUG_BUILD)
		shadow_check_leaf(shadow, page, index, gpa);
}

void shadow_prefetch(struct vcpu *vcpu, struct mmu_page *page, unsigned index, u64 gpte)
{
	const struct paging_mode *mode = &vcpu->shadow->mode;
	struct shadow *shadow = to_shadow(vcpu);
	struct ept_mapping map;
	unsigned acc;
	gpa_t gpa;

	if ((gpte & (PT_P | PT_A)) != (PT_P | PT_A) || gpte & vcpu->shadow->reserved)
		return;
	gpa = walk_page(mode, 1, gpte);
	if (!second_level_walk(shadow, gpa, &map) || !(map.prot & EPT_R))
		return;
	acc = leaf_rights(mode, page->role.acc & entry_acc(gpte), gpte, false);
	shadow_write_leaf(shadow, page, index, make_spte(1, map.hpa, acc, map.prot, gpte, 1), gpte,
			  gpa);
}

void shadow_prefetch_around(struct vcpu *vcpu, struct mmu_page *page, unsigned index, gva_t gva)
{
	unsigned first = ALIGN_DOWN(index, PREFETCH);

	for (unsigned i = first; i < first + PREFETCH; i++) {
		u64 gpte = guest_entry(page, i);

		if ((gpte & (PT_P | PT_A)) != (PT_P | PT_A) || page->spt[i])
			continue;
		shadow_prefetch(vcpu, page, i, gpte);
		if (gpte & PT_G)
			shadow_note_global(to_shadow(vcpu), gva);
	}
}

/* The entries of a new page of level 1 that maps a part of one guest page. */
static void fill(struct shadow *shadow, struct mmu_page *page)
{
	struct ept_mapping map;

	for (unsigned i = 0; i < SPTE_ENTRIES; i++) {
		gpa_t gpa = (page->gfn + i) << PAGE_SHIFT;

		if (second_level_walk(shadow, gpa, &map) && map.prot & EPT_R)
			shadow_write_leaf(shadow, page, i,
					  make_direct_spte(page->role, 1, map.hpa, map.prot), 0,
					  gpa);
	}
}

/* @page is now below the entry of a root for @gva. If it is below two, a global page that is made
 * below one may be used below the other. */
static void note_slot(struct shadow *shadow, struct mmu_page *page, gva_t gva, bool old)
{
	u16 slot = spte_index(gva, 4) & (SPTE_ENTRIES - 1);

	if (!old)
		page->slot = slot;
	if (page->slot == slot)
		return;
	shadow_note_global(shadow, gva);
	shadow_note_global(shadow, (gva_t)page->slot << 39);
}

/* The guest's entry that the entry of @page at @level stands for. */
static u64 entry_at(const struct fix *fix, int level)
{
	return level < fix->guest_level ? fix->leaf : fix->walk.entry[level];
}

struct mmu_page *fix_link(struct fix *fix, struct mmu_page *page, int level)
{
	struct shadow *shadow = to_shadow(fix->vcpu);
	const struct guest_walk *w = &fix->walk;
	unsigned index = spte_index(w->gva, level);
	u64 gpte = entry_at(fix, level), spte = page->spt[index];
	bool direct = level <= fix->guest_level, old;
	union mmu_role role;
	struct mmu_page *child;
	gfn_t gfn;

	if (direct) {
		role = direct_role(level - 1, fix->acc, fix->leaf,
				   w->mode->levels ? fix->guest_level : 0);
		gfn = ALIGN_DOWN(w->gpa, spte_size(level)) >> PAGE_SHIFT;
	} else {
		role = table_role(page->role, w->rights[level - 1], w->gva);
		gfn = w->at[level - 1] >> PAGE_SHIFT;
	}
	if (spte & PT_P && !is_leaf_spte(spte, level)) {
		child = shadow_child(shadow, spte);
		if (child->gfn == gfn && child->role.word == role.word &&
		    page->gptes[index] == gpte)
			return child;
	}
	child = shadow_get_page(shadow, gfn, role, &old);
	if (!child)
		return NULL;
	fix->linked = true;
	if (old)
		shadow_sync_again(fix->vcpu, child);
	else if (direct && level == 2)
		fill(shadow, child);
	note_slot(shadow, child, w->gva, old);
	shadow->epoch++;
	shadow_set_spte(shadow, page, index, shadow_pa(shadow, child) | SPTE_TABLE, gpte,
			direct && gpte & PT_G);
	return child;
}
