/* SPDX-License-Identifier: MIT */
/*
 * What the shadow tables say about an address, without a fault.
 */
#include "arch/x86/paging.h"
#include "lib/string.h"
#include "shadow/shadow.h"
#include "vmm/memslot.h"

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

		seen(level, shadow_pa(shadow, page) + index * 8ull, spte, page->gptes[index]);
		page = spte & PT_P && !is_leaf_spte(spte, level) ? shadow_child(shadow, spte)
								 : NULL;
	}
	spin_unlock(&shadow->lock);
}

/* Returns the entry that translates @gva, with its level in *@level; or one that is not present. */
static u64 find_leaf(struct vcpu *vcpu, gva_t gva, int *level)
{
	const struct shadow *shadow = to_shadow(vcpu);
	const struct mmu_page *root = shadow_root_of(vcpu, gva);
	const u64 *table = root ? root->spt : NULL;
	u64 spte = 0;

	for (*level = root ? root->role.level : 0; table; --*level) {
		spte = table[spte_index(gva, *level)];
		if (!(spte & PT_P) || is_leaf_spte(spte, *level))
			break;
		table = shadow_table(shadow, spte);
	}
	return spte;
}

/* What the supervisor may read in spite of SMAP is enough: pages of its own. */
bool shadow_read(struct vcpu *vcpu, gva_t gva, void *buf, size_t len)
{
	struct shadow *shadow = to_shadow(vcpu);
	u64 spte, hva;
	hpa_t hpa;
	int level;

	spin_lock(&shadow->lock);
	spte = find_leaf(vcpu, gva, &level);
	spin_unlock(&shadow->lock);
	if (!(spte & PT_P) || spte & (PT_U | PT_KEY_MASK) || (gva & ~PAGE_MASK) + len > PAGE_SIZE)
		return false;
	hpa = (spte & PT_ADDR & ~(spte_size(level) - 1)) | (gva & (spte_size(level) - 1));
	hva = gfn_to_hva(vcpu->vm, hpa >> PAGE_SHIFT);
	if (!hva || hva != (u64)phys_to_virt(ALIGN_DOWN(hpa, PAGE_SIZE)))
		return false;
	memcpy(buf, phys_to_virt(hpa), len);
	return true;
}
