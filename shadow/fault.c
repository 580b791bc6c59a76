/* SPDX-License-Identifier: MIT */
/*
 * A page fault while shadow tables are in use: the guest's own, which it gets; or its tables allow
 * the access, so the shadow entry is written, and the instruction executed again; or it is the
 * second-level tables that do not allow it, and the fault goes the way of all such faults.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "shadow/shadow.h"
#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

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

void shadow_prefetch(struct vcpu *vcpu, struct mmu_page *page, unsigned index, u64 gpte)
{
	const struct paging_mode *mode = &vcpu->shadow->mode;
	struct ept_mapping map;
	unsigned acc;

	if ((gpte & (PT_P | PT_A)) != (PT_P | PT_A) || gpte & walk_reserved(mode, 1, true))
		return;
	if (!second_level_walk(to_shadow(vcpu), walk_page(mode, 1, gpte), &map) ||
	    !(map.prot & EPT_R))
		return;
	acc = leaf_rights(mode, page->role.acc & entry_acc(gpte), gpte, false);
	shadow_set_spte(page, index, make_spte(1, map.hpa, acc, map.prot, gpte, 1), gpte,
			gpte & PT_G);
}

static void prefetch_around(struct vcpu *vcpu, struct mmu_page *page, unsigned index)
{
	unsigned first = ALIGN_DOWN(index, PREFETCH);

	for (unsigned i = first; i < first + PREFETCH; i++)
		if (!page->spt[i])
			shadow_prefetch(vcpu, page, i, guest_entry(page, i));
}

/* The entries of a new page of level 1 that maps a part of one guest page. */
static void fill(struct shadow *shadow, struct mmu_page *page)
{
	struct ept_mapping map;

	for (unsigned i = 0; i < SPTE_ENTRIES; i++)
		if (second_level_walk(shadow, (page->gfn + i) << PAGE_SHIFT, &map) &&
		    map.prot & EPT_R)
			shadow_set_spte(page, i, make_direct_spte(page->role, 1, map.hpa, map.prot),
					0, true);
}

/* A fault in the making. */
struct fix {
	struct vcpu *vcpu;
	struct guest_walk walk;
	struct ept_mapping map; /* of walk.gpa */
	u64 leaf;               /* the guest's entry; 0 without paging */
	int guest_level;        /* its level; without paging above all others */
	int level;              /* that of the shadow entry */
	unsigned acc;           /* its rights, by the guest's tables */
	bool override;          /* see leaf_rights() */
};

/* The guest's entry that the entry of @page at @level stands for. */
static u64 entry_at(const struct fix *fix, int level)
{
	return level < fix->guest_level ? fix->leaf : fix->walk.entry[level];
}

/* Returns the page below the entry of @level in @page, which it finds or makes; NULL: there is none
 * free. */
static struct mmu_page *link_child(struct fix *fix, struct mmu_page *page, int level)
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
	if (old)
		shadow_sync(fix->vcpu, child, true);
	else if (direct && level == 2)
		fill(shadow, child);
	shadow_set_spte(page, index,
			(shadow->spts_pa + ((u64)(child - shadow->page) << PAGE_SHIFT)) |
				SPTE_TABLE,
			gpte, direct && gpte & PT_G);
	return child;
}

/* Write the shadow entry, and those above it. Returns 0; -EEXIST if it was there; -ENOMEM. */
static int map(struct fix *fix)
{
	struct vcpu *vcpu = fix->vcpu;
	const struct guest_walk *w = &fix->walk;
	struct mmu_page *page = shadow_root_of(vcpu, w->gva);
	unsigned index;
	u64 spte;

	if (!page)
		return -ENOMEM;
	for (int level = page->role.level; level > fix->level; level--) {
		page = link_child(fix, page, level);
		if (!page)
			return -ENOMEM;
	}
	index = spte_index(w->gva, fix->level);
	spte = make_spte(fix->level, ALIGN_DOWN(fix->map.hpa, spte_size(fix->level)), fix->acc,
			 fix->map.prot, fix->leaf, w->mode->levels ? fix->guest_level : 0);
	if (page->spt[index] == spte)
		return -EEXIST;
	shadow_set_spte(page, index, spte, fix->leaf, fix->leaf & PT_G);
	if (fix->level == 1 && page->table)
		prefetch_around(vcpu, page, index);
	return 0;
}

/* Choose the shadow entry for the walk. Returns false if the second-level tables do not allow the
 * access. */
static bool choose(struct fix *fix)
{
	struct guest_walk *w = &fix->walk;
	const struct paging_mode *mode = w->mode;
	bool write = w->access & PF_ERROR_W;
	unsigned need = w->access & PF_ERROR_FETCH ? EPT_X : write ? EPT_R | EPT_W : EPT_R;
	struct shadow *shadow = to_shadow(fix->vcpu);

	if (!second_level_walk(shadow, w->gpa, &fix->map) || (fix->map.prot & need) != need) {
		shadow->last.size = 0; /* it may be allowed meanwhile */
		if (!second_level_walk(shadow, w->gpa, &fix->map) || (fix->map.prot & need) != need)
			return false;
	}
	fix->guest_level = mode->levels ? w->level : PT_MAX_LEVEL;
	fix->leaf = mode->levels ? w->entry[w->level] : 0;
	fix->override = write && !(w->leaf_acc & ACC_W);
	fix->acc = leaf_rights(mode, w->leaf_acc, fix->leaf, fix->override);
	fix->level = 1;
	while (fix->level < MIN(fix->guest_level, mode->levels > 3 && mode->page_1g ? 3 : 2) &&
	       fix->map.size >= spte_size(fix->level + 1))
		fix->level++;
	return true;
}

/* The guest's tables refuse the access: with the error code of the walk. */
static int reflect(struct vcpu *vcpu, const struct page_fault *fault, u32 error)
{
	struct page_fault guests = *fault;

	guests.error_code = error;
	return reflect_page_fault(vcpu, &guests);
}

/* The second-level tables refuse it. */
static int refuse(struct vcpu *vcpu, const struct guest_walk *w)
{
	struct page_fault fault = {
		.kind = FAULT_SECOND_LEVEL,
		.address = w->gpa,
		.gva_hint = w->gva,
		.write = w->access & PF_ERROR_W,
		.fetch = w->access & PF_ERROR_FETCH,
	};

	vcpu->mmu_outcomes[MMU_EMULATED]++;
	return mmu_page_fault(vcpu, &fault);
}

/* Does SMAP not apply: is it a data access by the supervisor itself, with AC set? */
static bool overrides_smap(struct vcpu *vcpu)
{
	return virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_AC && guest_cpl(vcpu) != 3;
}

int shadow_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct fix fix = {
		.vcpu = vcpu,
		.walk = {.mode = &vcpu->shadow->mode,
			 .vm = vcpu->vm,
			 .gva = fault->address,
			 .access = fault->error_code & (PF_ERROR_W | PF_ERROR_U | PF_ERROR_FETCH),
			 .keys = guest_keys},
	};
	struct guest_walk *w = &fix.walk;
	int r;

	STEP(shadow_page_fault);
	if (w->mode->smap && !(w->access & PF_ERROR_U) && overrides_smap(vcpu))
		w->access |= WALK_AC;
	walk_begin(w);
	spin_lock(&shadow->lock);
	r = walk_addr(w);
	if (!r)
		r = choose(&fix) ? map(&fix) : -ERANGE;
	spin_unlock(&shadow->lock);
	if (r == -EFAULT)
		return reflect(vcpu, fault, w->error);
	if (r == -ERANGE)
		return refuse(vcpu, w);
	STEP(shadow_fixed);
	vcpu->mmu_outcomes[r == -EEXIST ? MMU_SPURIOUS : MMU_FIXED]++;
	if (r == -ENOMEM)
		vcpu_make_request(vcpu, REQ_SHADOW);
	return 1;
}
