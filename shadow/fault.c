/* SPDX-License-Identifier: MIT */
/*
 * A page fault while shadow tables are in use: the guest's own, which it gets; or its tables allow
 * the access, so the shadow entry is written, and the instruction executed again; or it is the
 * second-level tables that do not allow it, and the fault goes the way of all such faults.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "shadow/fix.h"
#include "vmm/exception.h"
#include "vmm/step.h"
#include "vmm/steps.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

/* Is @page that of a guest's table of level 1? */
static bool is_table(const struct mmu_page *page)
{
	return page && page->role.level == 1 && page->table;
}

/* The guest's tables refuse the access, with #PF's @error. @page: the table's that has refused it,
 * if that is of level 1. */
static int reflect(struct vcpu *vcpu, gva_t gva, u32 error, struct mmu_page *page)
{
	struct page_fault fault = {.kind = FAULT_GUEST_PAGING, .address = gva, .error_code = error};
	struct shadow_vcpu *v = vcpu->shadow;

	if (is_table(page) && !(error & PF_ERROR_P)) {
		v->expected = gva;
		v->expected_page = page;
		v->expected_root = v->root[0];
	}
	return reflect_page_fault(vcpu, &fault);
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
	/* One that scatters writes over many pages: it is not known which. */
	if (v->nr_overrides > ARRAY_SIZE(v->override))
		shadow_retire(to_shadow(vcpu), true);
	v->nr_overrides = 0;
	spin_unlock(&to_shadow(vcpu)->lock);
	virt->flush_guest_tlb(vcpu);
}

/* The entry for @gva is the supervisor's, while the guest's is a user page: SMAP and protection
 * keys would not see it, and RFLAGS.AC and PKRU change without an exit. So it is there for this
 * instruction only, and in a shadow page that is this vCPU's own: see root_role(). */
static void override_once(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;

	v->override[v->nr_overrides++ % ARRAY_SIZE(v->override)] = gva;
	vcpu_step(vcpu, STEP_SHADOW, end_override);
}

/*
 * Does SMAP not apply: is it a data access by the supervisor's instruction itself, with AC set? AC
 * means nothing to what the CPU does besides, with descriptors for example. As the CPU reads there
 * first, it is known by a read that the CPU has refused, of a page that is present, and not for its
 * key: with AC only SMAP refuses such. (Where the second-level tables do not map the page yet, it
 * is mapped first, as for an access of the instruction's; then the CPU refuses.) SDM:
 * "Determination of Access Rights".
 */
static bool overrides_smap(struct vcpu *vcpu, u32 error)
{
	if ((error & (PF_ERROR_P | PF_ERROR_W | PF_ERROR_FETCH | PF_ERROR_PK)) == PF_ERROR_P)
		return false;
	return virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_AC && guest_cpl(vcpu) != 3;
}

/*
 * The lowest table to which the shadow tables and the guest's lead alike for @gva; NULL: there is
 * none. What is the same as when the shadow entry was made leads to the same table, with the same
 * rights, and its accessed flag is set.
 */
static struct mmu_page *common_table(struct vcpu *vcpu, gva_t gva)
{
	const struct shadow *shadow = to_shadow(vcpu);
	struct mmu_page *page = shadow_root_of(vcpu, gva);
	bool narrow;

	if (!page || !page->table)
		return NULL;
	narrow = page->role.levels == 2;
	for (int level = page->role.level; level > 1; level--) {
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];
		struct mmu_page *child;

		if ((spte & (PT_P | PT_PS)) != PT_P ||
		    shadow_guest_entry(page, level, index, narrow) != page->gptes[index])
			break;
		child = shadow_child(shadow, spte);
		if (!child->table)
			break;
		page = child;
	}
	return page;
}

/* Begin the walk: not at the top, but at the table of @page. */
static void begin(struct fix *fix, struct mmu_page *page)
{
	struct guest_walk *w = &fix->walk;

	fix->page = page;
	if (!page) {
		walk_begin(w);
		fix->page = shadow_root_of(fix->vcpu, w->gva);
		return;
	}
	w->top = page->role.level;
	w->table = page->gfn << PAGE_SHIFT;
	w->acc = page->role.acc;
}

/* A page fault ends what is cached of its address. What is not as the guest's tables say now is the
 * entry of @page, the lowest table that both have in common, if any. SDM: "Operations that
 * Invalidate TLBs and Paging-Structure Caches". */
static void drop_stale(struct vcpu *vcpu, struct mmu_page *page, gva_t gva)
{
	unsigned index = spte_index(gva, page->role.level);

	if (!shadow_is_stale(page, index) &&
	    !(page->role.levels == 2 && page->role.level == 2 && shadow_is_stale(page, index ^ 1)))
		return;
	shadow_sync_address(vcpu, page, gva);
	virt->flush_guest_tlb(vcpu);
}

/* What the entry's table is made from counts, not where that is in use now. */
void shadow_make_expected(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_page *page = v->expected_page;
	struct shadow *shadow = to_shadow(vcpu);
	unsigned index = spte_index(v->expected, 1);
	u64 gpte;

	v->expected_page = NULL;
	spin_lock(&shadow->lock);
	gpte = guest_entry(page, index);
	if (!page->spt[index] && gpte & PT_P) {
		shadow_prefetch(vcpu, page, index, gpte);
		if (gpte & PT_G)
			shadow_note_global(shadow, v->expected);
	}
	spin_unlock(&shadow->lock);
}

/* Walk the guest's tables, from @page's on. With the lock held, which it releases. */
static int walk_and_fix(struct vcpu *vcpu, const struct page_fault *fault, struct mmu_page *page)
{
	struct fix fix; /* large: only what is needed is set */
	struct guest_walk *w = &fix.walk;
	int r;

	fix.vcpu = vcpu;
	w->mode = &vcpu->shadow->mode;
	w->vm = vcpu->vm;
	w->gva = fault->address;
	w->access = fault->error_code & (PF_ERROR_W | PF_ERROR_U | PF_ERROR_FETCH);
	w->keys = guest_keys;
	if (w->mode->smap && !(w->access & PF_ERROR_U) && overrides_smap(vcpu, fault->error_code))
		w->access |= WALK_AC;
	begin(&fix, page);
	r = walk_addr(w);
	if (!r)
		r = fix_choose(&fix) ? fix_map(&fix) : -ERANGE;
	else if (page && r == -EFAULT)
		drop_stale(vcpu, page, w->gva);
	spin_unlock(&to_shadow(vcpu)->lock);
	if (r == -EFAULT)
		return reflect(vcpu, fault->address, w->error, fix.page);
	if (r == -ERANGE)
		return refuse(vcpu, w);
	STEP(shadow_fixed);
	vcpu->mmu_outcomes[r == -EEXIST || r == -EAGAIN ? MMU_SPURIOUS : MMU_FIXED]++;
	/* The entry may be there: another CPU's instruction under way has it, too. */
	if ((!r || r == -EEXIST) && fix.override && (w->mode->smap || w->mode->pke) &&
	    w->leaf_acc & ACC_U)
		override_once(vcpu, w->gva);
	if (r == -ENOMEM)
		vcpu_make_request(vcpu, REQ_SHADOW);
	return 1;
}

int shadow_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	unsigned index = spte_index(fault->address, 1);
	struct shadow *shadow = to_shadow(vcpu);
	struct mmu_page *page;

	STEP(shadow_page_fault);
	spin_lock(&shadow->lock);
	page = common_table(vcpu, fault->address);
	/* Most faults of a guest that gets its pages when it uses them are such. */
	if (is_table(page) && !page->spt[index] && !(guest_entry(page, index) & PT_P)) {
		spin_unlock(&shadow->lock);
		return reflect(vcpu, fault->address, fault->error_code & vcpu->shadow->error_mask,
			       page);
	}
	return walk_and_fix(vcpu, fault, page);
}
