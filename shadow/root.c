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

static bool has_pae_root(const struct paging_mode *mode)
{
	return mode->levels <= 3;
}

struct mmu_page *shadow_root_of(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;

	return v->root[has_pae_root(&v->mode) ? gva >> 30 & 3 : 0];
}

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
	struct mmu_page *page;
	gfn_t gfn;
	bool old;

	if (!root_gfn(&v->mode, n, &gfn))
		return NULL;
	page = shadow_get_page(to_shadow(vcpu), gfn, root_role(&v->mode, n), &old);
	return page;
}

static struct mmu_context *find_context(struct shadow_vcpu *v)
{
	gfn_t gfn = v->mode.root >> PAGE_SHIFT;

	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++)
		if (c->root && c->root->gfn == gfn && c->pcid == v->pcid)
			return c;
	return NULL;
}

/* Returns the root for the current CR3, with IA-32e paging, and brings what is below up to date, as
 * far as MOV to CR3 does not keep it; NULL: there is no page for it. */
static struct mmu_page *set_context(struct vcpu *vcpu, bool keep)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_context *c = find_context(v);
	bool is_new = !c;

	if (c && c->current && keep)
		return c->root;
	if (is_new) {
		c = &v->context[v->next_context++ % NR_CONTEXTS];
		*c = (struct mmu_context){.root = find_root(vcpu, 0), .pcid = v->pcid};
		if (!c->root)
			return NULL;
	}
	shadow_sync(vcpu, c->root, is_new || !v->global_pages);
	/* Without bit 63 nothing of the PCID is kept, whatever the root. */
	for (struct mmu_context *o = v->context; !keep && o < v->context + NR_CONTEXTS; o++)
		if (o->pcid == v->pcid)
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
		virt->use_shadow(vcpu, root ? shadow_pa(shadow, root) : virt_to_phys(v->pae_root));
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
	for (unsigned i = 0; i < NR_CONTEXTS; i++)
		v->context[i].root = NULL;
	get_paging_mode(vcpu, &v->mode);
	v->global_pages = cr4 & CR4_PGE;
	v->has_pcid = cr4 & CR4_PCIDE;
	v->pcid = v->has_pcid ? virt->get_sysreg(vcpu, SYSREG_CR3) & CR3_PCID : 0;
	memset(v->pae_root, 0, sizeof(v->pae_root));
	set_root(vcpu, false);
	spin_unlock(&shadow->lock);
	vcpu->page_fault = shadow_page_fault;
	intercept_exceptions(vcpu, EXCEPTIONS_SHADOW, BIT(PF_VECTOR));
}

void shadow_new_cr3(struct vcpu *vcpu, u64 cr3, bool keep)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;

	spin_lock(&shadow->lock);
	v->mode.root = walk_root(&v->mode, cr3);
	if (v->has_pcid)
		v->pcid = cr3 & CR3_PCID;
	if (shadow->work >= (u64)SHIELD_WORK * shadow->nr_used)
		shadow_shield(vcpu);
	set_root(vcpu, keep);
	if (v->expected_root && v->expected_root == v->root[0])
		shadow_make_expected(vcpu);
	spin_unlock(&shadow->lock);
}

/* Forget what is kept of @pcid, or of all if @any; with @globals, also of global pages. Not what is
 * in use now. */
static void forget(struct vcpu *vcpu, u16 pcid, bool any, bool globals)
{
	struct shadow_vcpu *v = vcpu->shadow;

	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++) {
		if ((!any && c->pcid != pcid) || (c->root == v->root[0] && c->pcid == v->pcid))
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

/* Compare what translates @gva: where the guest uses @pcid, or in all roots that are kept, as the
 * page may be a global one. Where they share the tables below, once is enough. */
static void sync_page(struct vcpu *vcpu, gva_t gva, bool any, u16 pcid)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_page *root = shadow_root_of(vcpu, gva);
	u64 done = 0;

	if (root && (any || pcid == v->pcid)) {
		shadow_sync_address(vcpu, root, gva);
		done = root->spt[spte_index(gva, root->role.level)];
	}
	if (any && !shadow_has_globals(to_shadow(vcpu), gva))
		return;
	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++) {
		u64 spte;

		if (!c->root || (!any && c->pcid != pcid))
			continue;
		spte = c->root->spt[spte_index(gva, c->root->role.level)];
		if (spte & PT_P && spte != done)
			shadow_sync_address(vcpu, c->root, gva);
	}
}

void shadow_invalidate(struct vcpu *vcpu, enum invalidation what, u16 pcid, gva_t gva)
{
	struct shadow *shadow = to_shadow(vcpu);

	spin_lock(&shadow->lock);
	if (what == INVALIDATE_PAGE || what == INVALIDATE_PCID_PAGE) {
		sync_page(vcpu, gva, what == INVALIDATE_PAGE, pcid);
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
