/* SPDX-License-Identifier: MIT */
/*
 * What the shadow tables say about an address, for the monitor.
 */
#include "arch/x86/paging.h"
#include "shadow/shadow.h"

void shadow_each_entry(struct vcpu *vcpu, gva_t gva,
		       void (*seen)(int level, hpa_t at, u64 entry, u64 gpte))
{
	struct shadow *shadow = to_shadow(vcpu);
	struct shadow_vcpu *v = vcpu->shadow;
	struct mmu_page *page;

	spin_lock(&shadow->lock);
	if (v->mode.levels <= 3) {
		unsigned n = gva >> 30 & 3;

		seen(3, virt_to_phys(&v->pae_root[n]), v->pae_root[n],
		     v->mode.levels == 3 ? v->mode.pdpte[n] : 0);
	}
	page = shadow_root_of(vcpu, gva);
	while (page) {
		int level = page->role.level;
		unsigned index = spte_index(gva, level);
		u64 spte = page->spt[index];

		seen(level, shadow_pa(shadow, page) + index * 8, spte, page->gptes[index]);
		page = spte & PT_P && !is_leaf_spte(spte, level) ? shadow_child(shadow, spte)
								 : NULL;
	}
	spin_unlock(&shadow->lock);
}
