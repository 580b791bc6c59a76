/* SPDX-License-Identifier: MIT */
/*
 * The root that a vCPU uses, and what happens when it changes.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "shadow/shadow.h"
#include "lib/string.h"
#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

#define CR3_PCID 0xfffull

/* Find the root page number @n. Returns false if there is none because the guest has none. */
static bool root_gfn(const struct paging_mode *mode, unsigned n, gfn_t *gfn)
{
	*gfn = mode->root >> PAGE_SHIFT;
	if (!mode->levels)
		*gfn = n * (GIB(1) >> PAGE_SHIFT);
	if (mode->levels != 3)
		return true;
	*gfn = (mode->pdpte[n] & PT_ADDR) >> PAGE_SHIFT;
	return mode->pdpte[n] & PT_P;
}

/* Returns the root page number @n, with what is old dropped; NULL: none. */
static struct mmu_page *find_root(struct vcpu *vcpu, unsigned n)
{
	struct shadow_vcpu *v = vcpu->shadow;
	gfn_t gfn;
	bool old;

	if (!root_gfn(&v->mode, n, &gfn))
		return NULL;
	return shadow_get_page(to_shadow(vcpu), gfn, root_role(&v->mode, n, vcpu->id), &old);
}

static u16 pcid_of(const struct mmu_context *context)
{
	return context->cr3 & CR3_PCID;
}

/* The context of @cr3, which has no bit but those of struct mmu_context; NULL: there is none. A
 * guest with page-table isolation goes to and fro between two. */
static struct mmu_context *find_context(struct shadow_vcpu *v, u64 cr3)
{
	if (v->before->cr3 == cr3 && v->before->root)
		return v->before;
	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++)
		if (c->cr3 == cr3 && c->root)
			return c;
	return NULL;
}

static void set_now(struct shadow_vcpu *v, struct mmu_context *context)
{
	v->before = v->now;
	v->now = context;
}

/* Returns the root for the current CR3, with IA-32e paging, and brings what is below up to date, as
 * far as MOV to CR3 does not keep it; NULL: there is no page for it. */
static struct mmu_page *set_context(struct vcpu *vcpu, bool keep)
{
	struct shadow_vcpu *v = vcpu->shadow;
	u64 cr3 = v->mode.root | v->pcid;
	struct mmu_context *c = find_context(v, cr3);
	bool is_new = !c;

	if (is_new) {
		c = &v->context[v->next_context++ % NR_CONTEXTS];
		*c = (struct mmu_context){.root = find_root(vcpu, 0), .cr3 = cr3};
		if (!c->root)
			return NULL;
	}
	set_now(v, c);
	if (c->current && keep)
		return c->root;
	shadow_sync(vcpu, c->root, is_new || !v->global_pages);
	/* Without bit 63 nothing of the PCID is kept, whatever the root; and with it, only one root
	 * of each PCID is current: INVLPG need not look for others. */
	for (struct mmu_context *o = v->context; o < v->context + NR_CONTEXTS; o++)
		if (pcid_of(o) == v->pcid)
			o->current = false;
	c->current = true;
	return c->root;
}

/* Find the root of the current mode, and have the CPU use it. Where a page is missing, the guest's
 * next access faults. */
static void set_root(struct vcpu *vcpu, bool keep)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;

	if (!has_pae_root(&v->mode)) {
		struct mmu_page *root = set_context(vcpu, keep);

		v->root[0] = root;
		virt->use_shadow(vcpu, root ? shadow_pa(shadow, root) : shadow_empty_pa(shadow));
		return;
	}
	for (unsigned n = 0; n < 4; n++) {
		struct mmu_page *root = find_root(vcpu, n);

		v->root[n] = root;
		if (root)
			shadow_sync(vcpu, root, true);
		v->pae_root[n] = root ? shadow_pa(shadow, root) | PT_P : 0;
	}
	virt->use_shadow(vcpu, virt_to_phys(v->pae_root));
}

void shadow_load(struct vcpu *vcpu)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;
	u64 cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);

	STEP(shadow_load);
	spin_lock(&shadow->lock);
	__atomic_store_n(&v->seen, shadow->retires, __ATOMIC_RELEASE);
	memset(v->context, 0, sizeof(v->context));
	v->links.root = NULL;
	v->now = v->before = v->context;
	v->expected_page = NULL;
	get_paging_mode(vcpu, &v->mode);
	v->reserved = walk_reserved(&v->mode, 1, true);
	v->error_mask = access_error(&v->mode, ~0u);
	v->global_pages = cr4 & CR4_PGE;
	v->has_pcid = cr4 & CR4_PCIDE;
	v->pcid = v->has_pcid ? virt->get_sysreg(vcpu, SYSREG_CR3) & CR3_PCID : 0;
	memset(v->pae_root, 0, sizeof(v->pae_root));
	set_root(vcpu, false);
	spin_unlock(&shadow->lock);
	vcpu->page_fault = shadow_page_fault;
	intercept_exceptions(vcpu, EXCEPTIONS_SHADOW, BIT(PF_VECTOR));
}

/*
 * Go to the context of @cr3, if there is one of which everything may be kept. Without the lock:
 * contexts are the vCPU's own, and pages that another one retires meanwhile can be used until this
 * one has handled its REQ_SHADOW.
 */
static bool switch_back(struct vcpu *vcpu, u64 cr3)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_context *c = find_context(v, cr3);

	if (!c || !c->current)
		return false;
	set_now(v, c);
	v->root[0] = c->root;
	virt->use_shadow(vcpu, shadow_pa(to_shadow(vcpu), c->root));
	return true;
}

void shadow_new_cr3(struct vcpu *vcpu, u64 cr3, bool keep)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;

	v->mode.root = walk_root(&v->mode, cr3);
	if (v->has_pcid)
		v->pcid = cr3 & CR3_PCID;
	if (!keep || !switch_back(vcpu, cr3)) {
		spin_lock(&shadow->lock);
		if (shadow->work >= (u64)SHIELD_WORK * shadow->nr_used)
			shadow_shield(vcpu);
		set_root(vcpu, keep);
		spin_unlock(&shadow->lock);
	}
	if (v->expected_page && v->expected_root == v->root[0])
		shadow_make_expected(vcpu);
}

/* Forget what is kept of @pcid, or of all if @any; with @globals, also of global pages. Not what is
 * in use now. */
static void forget(struct vcpu *vcpu, u16 pcid, bool any, bool globals)
{
	struct shadow_vcpu *v = vcpu->shadow;

	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++) {
		if ((!any && pcid_of(c) != pcid) ||
		    (c->root == v->root[0] && pcid_of(c) == v->pcid))
			continue;
		c->current = false;
		if (globals)
			c->root = NULL;
	}
}

/* Compare all of the current root. */
static void sync_current(struct vcpu *vcpu, bool all)
{
	struct shadow_vcpu *v = vcpu->shadow;

	for (unsigned n = 0; n < (has_pae_root(&v->mode) ? 4 : 1); n++)
		if (v->root[n])
			shadow_sync(vcpu, v->root[n], all || !v->global_pages);
}

/* INVLPG: compare what translates @gva, in all roots that are kept if it may be a global page.
 * Where they share the tables below, once is enough. */
static void sync_page(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_page *root = shadow_root_of(vcpu, gva);
	u64 done = 0;

	shadow_sync_links(vcpu); /* the paging-structure caches, for all addresses */
	if (root) {
		shadow_sync_address(vcpu, root, gva);
		done = root->spt[spte_index(gva, root->role.level)];
	}
	if (!shadow_has_globals(to_shadow(vcpu), gva))
		return;
	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++) {
		u64 spte;

		if (!c->root)
			continue;
		spte = c->root->spt[spte_index(gva, c->root->role.level)];
		if (spte & PT_P && spte != done)
			shadow_sync_address(vcpu, c->root, gva);
	}
}

/* The root for @gva that is kept of @pcid, of which there is one at most; NULL: none. */
static struct mmu_page *kept_root(struct vcpu *vcpu, u16 pcid, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;

	if (pcid == v->pcid)
		return shadow_root_of(vcpu, gva);
	if (v->before->current && pcid_of(v->before) == pcid)
		return v->before->root;
	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++)
		if (c->current && pcid_of(c) == pcid)
			return c->root;
	return NULL;
}

void shadow_invalidate(struct vcpu *vcpu, enum invalidation what, u16 pcid, gva_t gva)
{
	struct shadow *shadow = to_shadow(vcpu);

	spin_lock(&shadow->lock);
	vcpu->shadow->expected_page = NULL; /* what leads there may have ended */
	if (what == INVALIDATE_PAGE) {
		sync_page(vcpu, gva);
	} else if (what == INVALIDATE_PCID_PAGE) {
		struct mmu_page *root = kept_root(vcpu, pcid, gva);

		if (root)
			shadow_sync_address(vcpu, root, gva);
	} else if (what == INVALIDATE_ALL || what == INVALIDATE_LOCAL) {
		forget(vcpu, 0, true, what == INVALIDATE_ALL);
		sync_current(vcpu, what == INVALIDATE_ALL);
	} else {
		forget(vcpu, pcid, false, false);
		if (pcid == vcpu->shadow->pcid)
			sync_current(vcpu, false);
	}
	if (shadow->work >= (u64)SHIELD_WORK * shadow->nr_used)
		shadow_shield(vcpu);
	spin_unlock(&shadow->lock);
	virt->flush_guest_tlb(vcpu);
}

void shadow_drop(struct vm *vm)
{
	struct shadow *shadow = vm->shadow;

	spin_lock(&shadow->lock);
	shadow->last.size = 0;
	shadow_retire(shadow, true);
	spin_unlock(&shadow->lock);
}
