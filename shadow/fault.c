/* SPDX-License-Identifier: MIT */
/*
 * A page fault while shadow tables are in use: the guest's own, which it gets; or its tables allow
 * the access, so the shadow entry is written, and the instruction executed again; or it is the
 * second-level tables that do not allow it, and the fault goes the way of all such faults.
 */
#include "arch/x86/cpu.h"
#include "debug_build.h"
#include "errno.h"
#include "shadow/shadow.h"
#include "vmm/exception.h"
#include "vmm/step.h"
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

static void write_leaf(const struct shadow *shadow, struct mmu_page *page, unsigned index, u64 spte,
		       u64 gpte, gpa_t gpa)
{
	if (page->role.level == 1 && spte & PT_W &&
	    shadow_is_shielded(shadow, (spte & PT_ADDR) >> PAGE_SHIFT, 1))
		spte &= ~(PT_W | PT_D);
	shadow_set_spte(page, index, spte, gpte, gpte & PT_G);
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

	if ((gpte & (PT_P | PT_A)) != (PT_P | PT_A) || gpte & walk_reserved(mode, 1, true))
		return;
	gpa = walk_page(mode, 1, gpte);
	if (!second_level_walk(shadow, gpa, &map) || !(map.prot & EPT_R))
		return;
	acc = leaf_rights(mode, page->role.acc & entry_acc(gpte), gpte, false);
	write_leaf(shadow, page, index, make_spte(1, map.hpa, acc, map.prot, gpte, 1), gpte, gpa);
}

static void prefetch_around(struct vcpu *vcpu, struct mmu_page *page, unsigned index, gva_t gva)
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
			write_leaf(shadow, page, i,
				   make_direct_spte(page->role, 1, map.hpa, map.prot), 0, gpa);
	}
}

/* A fault in the making. */
struct fix {
	struct vcpu *vcpu;
	struct mmu_page *page; /* of walk.top, or the root; NULL: there is none */
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
	shadow->epoch++;
	shadow_set_spte(page, index, shadow_pa(shadow, child) | SPTE_TABLE, gpte,
			direct && gpte & PT_G);
	return child;
}

/* Write the shadow entry, and those above it. Returns 0; -EEXIST if it was there; -ENOMEM. */
static int map(struct fix *fix)
{
	struct vcpu *vcpu = fix->vcpu;
	const struct guest_walk *w = &fix->walk;
	struct mmu_page *page = fix->page;
	unsigned index;
	u64 spte;

	if (!page)
		return -ENOMEM;
	for (int level = page->role.level; level > fix->level; level--) {
		page = link_child(fix, page, level);
		if (!page)
			return -ENOMEM;
	}
	if (w->access & PF_ERROR_W)
		shadow_unshield(to_shadow(vcpu), fix->map.hpa >> PAGE_SHIFT);
	index = spte_index(w->gva, fix->level);
	spte = make_spte(fix->level, ALIGN_DOWN(fix->map.hpa, spte_size(fix->level)), fix->acc,
			 fix->map.prot, fix->leaf, w->mode->levels ? fix->guest_level : 0);
	if (page->spt[index] == spte)
		return -EEXIST;
	write_leaf(to_shadow(vcpu), page, index, spte, fix->leaf, w->gpa);
	if (fix->leaf & PT_G)
		shadow_note_global(to_shadow(vcpu), w->gva);
	if (fix->level == 1 && page->table)
		prefetch_around(vcpu, page, index, w->gva);
	return 0;
}

/* Would an entry of @level let the guest write to a table that is shielded? */
static bool has_shielded(const struct fix *fix, int level)
{
	u64 size = spte_size(level);

	return fix->acc & ACC_W && fix->map.prot & EPT_W &&
	       shadow_is_shielded(to_shadow(fix->vcpu),
				  ALIGN_DOWN(fix->map.hpa, size) >> PAGE_SHIFT, size >> PAGE_SHIFT);
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
	       fix->map.size >= spte_size(fix->level + 1) && !has_shielded(fix, fix->level + 1))
		fix->level++;
	return true;
}

/* The guest's tables refuse the access: with the error code of the walk. */
static int reflect(struct vcpu *vcpu, const struct page_fault *fault, u32 error)
{
	struct page_fault guests = *fault;

	guests.error_code = error;
	if (!(error & PF_ERROR_P)) {
		vcpu->shadow->expected = fault->address;
		vcpu->shadow->expected_root = vcpu->shadow->root[0];
	}
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

static void end_override(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;

	spin_lock(&to_shadow(vcpu)->lock);
	for (unsigned i = 0; i < MIN(v->nr_overrides, ARRAY_SIZE(v->override)); i++)
		shadow_drop_leaf(vcpu, v->override[i]);
	v->nr_overrides = 0;
	spin_unlock(&to_shadow(vcpu)->lock);
	virt->flush_guest_tlb(vcpu);
}

/* The entry for @gva is the supervisor's, while the guest's is a user page: SMAP and protection
 * keys would not see it, and RFLAGS.AC and PKRU change without an exit. So it is there for this
 * instruction only. */
static void override_once(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;

	v->override[v->nr_overrides++ % ARRAY_SIZE(v->override)] = gva;
	vcpu_step(vcpu, STEP_SHADOW, end_override);
}

/* Does SMAP not apply: is it a data access by the supervisor itself, with AC set? */
static bool overrides_smap(struct vcpu *vcpu)
{
	return virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_AC && guest_cpl(vcpu) != 3;
}

/*
 * The lowest table to which the shadow tables and the guest's lead alike for @gva; NULL: there is
 * none. What is the same as when the shadow entry was made leads to the same table, with the same
 * rights, and its accessed flag is set.
 */
static struct mmu_page *common_table(struct vcpu *vcpu, gva_t gva)
{
	struct mmu_page *page = shadow_root_of(vcpu, gva);

	if (!page || !page->table)
		return NULL;
	while (page->role.level > 1) {
		unsigned index = spte_index(gva, page->role.level);
		u64 spte = page->spt[index];
		struct mmu_page *child;

		if (!(spte & PT_P) || spte & PT_PS ||
		    guest_entry(page, index) != page->gptes[index])
			break;
		child = shadow_child(to_shadow(vcpu), spte);
		if (!child->table)
			break;
		page = child;
	}
	return page;
}

/* Begin the walk: not at the top, but there. */
static void begin(struct fix *fix)
{
	struct guest_walk *w = &fix->walk;

	fix->page = common_table(fix->vcpu, w->gva);
	if (!fix->page) {
		walk_begin(w);
		fix->page = shadow_root_of(fix->vcpu, w->gva);
		return;
	}
	w->top = fix->page->role.level;
	w->table = fix->page->gfn << PAGE_SHIFT;
	w->acc = fix->page->role.acc;
}

void shadow_make_expected(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_page *page = common_table(vcpu, v->expected);
	unsigned index = spte_index(v->expected, 1);

	v->expected_root = NULL;
	if (!page || page->role.level > 1 || page->spt[index])
		return;
	shadow_prefetch(vcpu, page, index, guest_entry(page, index));
	if (page->gptes[index] & PT_G)
		shadow_note_global(to_shadow(vcpu), v->expected);
}

int shadow_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct fix fix; /* large: only what is needed is set */
	struct guest_walk *w = &fix.walk;
	int r;

	STEP(shadow_page_fault);
	fix.vcpu = vcpu;
	w->mode = &vcpu->shadow->mode;
	w->vm = vcpu->vm;
	w->gva = fault->address;
	w->access = fault->error_code & (PF_ERROR_W | PF_ERROR_U | PF_ERROR_FETCH);
	w->keys = guest_keys;
	if (w->mode->smap && !(w->access & PF_ERROR_U) && overrides_smap(vcpu))
		w->access |= WALK_AC;
	spin_lock(&shadow->lock);
	begin(&fix);
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
	if (!r && fix.override && (w->mode->smap || w->mode->pke) && w->leaf_acc & ACC_U)
		override_once(vcpu, w->gva);
	if (r == -ENOMEM)
		vcpu_make_request(vcpu, REQ_SHADOW);
	return 1;
}
