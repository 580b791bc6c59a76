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
		r = fix_choose(&fix) ? fix_map(&fix) : -ERANGE;
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
