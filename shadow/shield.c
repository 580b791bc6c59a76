/* SPDX-License-Identifier: MIT */
/*
 * Tables of the guest that do not change are not compared again and again: no shadow entry lets the
 * guest write to them. A write faults, and from then on the table is compared again, and may be
 * written freely: nothing is emulated. Frames are the guest's and the host's at once, so only
 * tables are shielded that lie at the same address for both. With one vCPU only: with several, each
 * would have to flush its TLB before a table can be trusted.
 */
#include "arch/x86/paging.h"
#include "debug_build.h"
#include "shadow/shadow.h"

#define CALM 8u /* so often unchanged, before it is worth it */

u64 shadow_shield_size(u64 nr_frames)
{
	return ALIGN_UP(ALIGN_UP(nr_frames, 64) / 8, PAGE_SIZE);
}

void shadow_shield_init(struct shadow *shadow, void *memory, u64 nr_frames)
{
	shadow->shield = memory;
	shadow->nr_frames = shadow_shield_size(nr_frames) * 8;
}

bool shadow_has_shielded(const struct shadow *shadow, u64 frame, u64 nr)
{
	if (nr == 1)
		return shadow_is_shielded(shadow, frame);
	if (frame >= shadow->nr_frames)
		return false;
	for (u64 word = frame / 64; word < MIN(frame + nr, shadow->nr_frames) / 64; word++)
		if (shadow->shield[word])
			return true;
	return false;
}

void shadow_unshield(struct shadow *shadow, u64 frame)
{
	struct mmu_page *page;

	if (!shadow_is_shielded(shadow, frame))
		return;
	shadow->shield[frame / 64] &= ~BIT(frame % 64);
	shadow->epoch++;
	for (page = shadow->hash[shadow_hash(shadow, frame)]; page; page = page->next) {
		if (page->gfn != frame || page->role.direct)
			continue;
		page->shielded = false;
		page->calm = 0;
	}
}

void shadow_written(struct vm *vm, gpa_t gpa)
{
	struct shadow *shadow = vm->shadow;

	if (!shadow_is_shielded(shadow, gpa >> PAGE_SHIFT))
		return;
	spin_lock(&shadow->lock);
	shadow_unshield(shadow, gpa >> PAGE_SHIFT);
	spin_unlock(&shadow->lock);
}

/* Make the leaf entries of @page read-only that let the guest write to shielded frames. A large one
 * is dropped, and made again as small ones. */
static void close_entries(struct shadow *shadow, struct mmu_page *page)
{
	u64 size = spte_size(page->role.level);

	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		for (u64 bits = page->present[word] & ~page->links[word]; bits; bits &= bits - 1) {
			unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
			u64 spte = page->spt[index];

			if (!(spte & PT_W) ||
			    !shadow_has_shielded(shadow,
						 (spte & PT_ADDR & ~(size - 1)) >> PAGE_SHIFT,
						 size >> PAGE_SHIFT))
				continue;
			if (page->role.level > 1)
				shadow_set_spte(shadow, page, index, 0, 0, false);
			else
				page->spt[index] = spte & ~(PT_W | PT_D);
		}
	}
}

void shadow_shield(struct vcpu *vcpu)
{
	struct shadow *shadow = to_shadow(vcpu);
	bool any = false;

	shadow->work = 0;
	if (shadow->vm->nr_vcpus > 1)
		return;
	for (unsigned i = 0; i < shadow->nr; i++) {
		struct mmu_page *page = &shadow->page[i];

		if (!page->used || !page->table || page->shielded || page->calm < CALM ||
		    !is_role_of(page->role, &vcpu->shadow->mode) ||
		    page->gfn >= shadow->nr_frames ||
		    virt_to_phys(page->table) >> PAGE_SHIFT != page->gfn)
			continue;
		shadow_sync_page(vcpu, page, true);
		if (!page->calm)
			continue;
		page->shielded = any = true;
		shadow->shield[page->gfn / 64] |= BIT(page->gfn % 64);
	}
	for (unsigned i = 0; any && i < shadow->nr; i++)
		if (shadow->page[i].used)
			close_entries(shadow, &shadow->page[i]);
	if (DEBUG_BUILD && any)
		shadow_check_all(shadow);
}
