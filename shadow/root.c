/* SPDX-License-Identifier: MIT */
/*
 * The root that a vCPU uses, and what happens when it changes.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "shadow/shadow.h"
#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

static bool has_pae_root(const struct paging_mode *mode)
{
	return mode->levels <= 3;
}

struct mmu_page *shadow_root_of(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;

	return v->root[has_pae_root(&v->mode) ? gva >> 30 & 3 : 0];
}

static bool has_global_pages(struct vcpu *vcpu)
{
	return virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_PGE;
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

static hpa_t pa_of(const struct shadow *shadow, const struct mmu_page *page)
{
	return shadow->spts_pa + ((u64)(page - shadow->page) << PAGE_SHIFT);
}

/* Bring what is below @root up to date, for a use with @pcid; @keep: as far as it is not kept. */
static void renew(struct vcpu *vcpu, struct mmu_page *root, u16 pcid, bool keep)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_context *c = v->context;

	while (c < v->context + NR_CONTEXTS && (c->root != root || c->pcid != pcid))
		c++;
	if (c == v->context + NR_CONTEXTS) {
		c = &v->context[v->next_context++ % NR_CONTEXTS];
		*c = (struct mmu_context){.root = root, .pcid = pcid};
		shadow_sync(vcpu, root, true);
	} else if (!keep || !c->current) {
		shadow_sync(vcpu, root, !has_global_pages(vcpu));
	}
	c->current = true;
}

static u16 current_pcid(struct vcpu *vcpu)
{
	if (!(virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_PCIDE))
		return 0;
	return virt->get_sysreg(vcpu, SYSREG_CR3) & 0xfff;
}

/* Find the root of the current mode, and have the CPU use it. Where a page is missing, the guest's
 * next access faults. */
static void set_root(struct vcpu *vcpu, bool keep)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;
	bool pae = has_pae_root(&v->mode);

	for (unsigned n = 0; n < (pae ? 4 : 1); n++) {
		struct mmu_page *root = find_root(vcpu, n);

		v->root[n] = root;
		if (root && pae)
			shadow_sync(vcpu, root, true);
		else if (root)
			renew(vcpu, root, current_pcid(vcpu), keep);
	}
	for (unsigned n = 0; n < 4; n++)
		v->pae_root[n] = pae && v->root[n] ? pa_of(shadow, v->root[n]) | PT_P : 0;
	virt->use_shadow(vcpu, !pae && v->root[0] ? pa_of(shadow, v->root[0])
						  : virt_to_phys(v->pae_root));
}

void shadow_load(struct vcpu *vcpu)
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;

	STEP(shadow_load);
	spin_lock(&shadow->lock);
	__atomic_store_n(&v->seen, shadow->retires, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < NR_CONTEXTS; i++)
		v->context[i].root = NULL;
	get_paging_mode(vcpu, &v->mode);
	v->mode.pdpte = vcpu->pdpte;
	set_root(vcpu, false);
	spin_unlock(&shadow->lock);
	vcpu->page_fault = shadow_page_fault;
	intercept_exceptions(vcpu, EXCEPTIONS_SHADOW, BIT(PF_VECTOR));
}

void shadow_new_cr3(struct vcpu *vcpu, bool keep)
{
	struct shadow *shadow = to_shadow(vcpu);

	spin_lock(&shadow->lock);
	get_paging_mode(vcpu, &vcpu->shadow->mode);
	vcpu->shadow->mode.pdpte = vcpu->pdpte;
	set_root(vcpu, keep);
	spin_unlock(&shadow->lock);
}

/* Forget what is kept of @pcid, or of all if @any, other than the current root's. */
static void forget(struct vcpu *vcpu, u16 pcid, bool any, bool globals)
{
	struct shadow_vcpu *v = vcpu->shadow;

	for (struct mmu_context *c = v->context; c < v->context + NR_CONTEXTS; c++) {
		if (!any && c->pcid != pcid)
			continue;
		c->current = false;
		if (globals && c->root != v->root[0])
			c->root = NULL;
	}
}

/* Compare all of the current root. */
static void sync_current(struct vcpu *vcpu, bool all)
{
	for (unsigned n = 0; n < (has_pae_root(&vcpu->shadow->mode) ? 4 : 1); n++)
		if (vcpu->shadow->root[n])
			shadow_sync(vcpu, vcpu->shadow->root[n], all || !has_global_pages(vcpu));
}

/* In all roots that are kept: the page may be a global one. */
static void sync_page(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_page *root = shadow_root_of(vcpu, gva);

	if (root)
		shadow_sync_address(vcpu, root, gva);
	for (unsigned i = 0; i < NR_CONTEXTS; i++)
		if (v->context[i].root && v->context[i].root != root)
			shadow_sync_address(vcpu, v->context[i].root, gva);
}

void shadow_invalidate(struct vcpu *vcpu, enum invalidation what, u16 pcid, gva_t gva)
{
	struct shadow *shadow = to_shadow(vcpu);
	bool is_current = pcid == current_pcid(vcpu);

	spin_lock(&shadow->lock);
	if (what == INVALIDATE_PAGE || (what == INVALIDATE_PCID_PAGE && is_current)) {
		sync_page(vcpu, gva);
	} else if (what == INVALIDATE_ALL || what == INVALIDATE_LOCAL) {
		forget(vcpu, 0, true, what == INVALIDATE_ALL);
		sync_current(vcpu, what == INVALIDATE_ALL);
	} else {
		forget(vcpu, pcid, false, false);
		if (is_current)
			sync_current(vcpu, false);
	}
	spin_unlock(&shadow->lock);
	virt->flush_guest_tlb(vcpu);
}

void shadow_drop(struct vm *vm)
{
	struct shadow *shadow = vm->shadow;

	spin_lock(&shadow->lock);
	shadow->last.size = 0;
	shadow_retire_all(shadow);
	spin_unlock(&shadow->lock);
}
