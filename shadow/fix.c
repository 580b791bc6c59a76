/* SPDX-License-Identifier: MIT */
/*
 * The guest's tables allow an access: the shadow entry is chosen and written. See fix.h.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "shadow/fix.h"

int fix_map(struct fix *fix)
{
	struct vcpu *vcpu = fix->vcpu;
	const struct guest_walk *w = &fix->walk;
	struct mmu_page *page = fix->page;
	unsigned index;
	u64 spte;

	if (!page)
		return -ENOMEM;
	fix->linked = false;
	for (int level = page->role.level; level > fix->level; level--) {
		page = fix_link(fix, page, level);
		if (!page)
			return -ENOMEM;
	}
	if (w->access & PF_ERROR_W)
		shadow_unshield(to_shadow(vcpu), fix->map.hpa >> PAGE_SHIFT);
	index = spte_index(w->gva, fix->level);
	spte = make_spte(fix->level, ALIGN_DOWN(fix->map.hpa, spte_size(fix->level)), fix->acc,
			 fix->map.prot, fix->leaf, w->mode->levels ? fix->guest_level : 0);
	if (fix->leaf & PT_G)
		shadow_note_global(to_shadow(vcpu), w->gva);
	if (page->spt[index] == spte)
		return fix->linked ? 0 : -EEXIST;
	shadow_write_leaf(to_shadow(vcpu), page, index, spte, fix->leaf, w->gpa);
	if (fix->level == 1 && page->table)
		shadow_prefetch_around(vcpu, page, index, w->gva);
	return 0;
}

/* Would an entry of @level let the guest write to a table that is shielded? */
static bool has_shielded(const struct fix *fix, int level)
{
	u64 size = spte_size(level);

	return fix->acc & ACC_W && fix->map.prot & EPT_W &&
	       shadow_has_shielded(to_shadow(fix->vcpu),
				   ALIGN_DOWN(fix->map.hpa, size) >> PAGE_SHIFT,
				   size >> PAGE_SHIFT);
}

bool fix_choose(struct fix *fix)
{
	struct guest_walk *w = &fix->walk;
	const struct paging_mode *mode = w->mode;
	bool write = w->access & PF_ERROR_W;
	unsigned need = w->access & PF_ERROR_FETCH ? EPT_X : write ? EPT_R | EPT_W : EPT_R;

	if (!shadow_second_level(to_shadow(fix->vcpu), w->gpa, need, &fix->map))
		return false;
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
