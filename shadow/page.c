/* SPDX-License-Identifier: MIT */
/*
 * The shadow pages: their pool, how one is found, and how they end.
 */
#include "arch/x86/paging.h"
#include "lib/string.h"
#include "shadow/shadow.h"
#include "vmm/memslot.h"

#define MIN_PAGES 64 /* more than the tables of one instruction */

/* A pool of @nr pages: what each needs, its table, the copies of the guest's entries, and buckets.
 */
static u64 pool_bytes(unsigned nr)
{
	u64 buckets = 1;

	while (buckets < nr)
		buckets *= 2;
	return ALIGN_UP(nr * sizeof(struct mmu_page) + buckets * sizeof(struct mmu_page *),
			PAGE_SIZE) +
	       2 * nr * PAGE_SIZE;
}

bool shadow_pool_init(struct shadow *shadow, void *pool, u64 size)
{
	unsigned nr = (unsigned)(size / (2 * PAGE_SIZE)), buckets = 1;
	u8 *gptes;

	while (nr && pool_bytes(nr) > size)
		nr--;
	if (nr < MIN_PAGES)
		return false;
	while (buckets < nr)
		buckets *= 2;
	shadow->nr = nr;
	shadow->spts = pool;
	shadow->spts_pa = virt_to_phys(pool);
	gptes = shadow->spts + nr * PAGE_SIZE;
	shadow->page = (struct mmu_page *)(gptes + nr * PAGE_SIZE);
	shadow->hash = (struct mmu_page **)(shadow->page + nr);
	shadow->hash_mask = buckets - 1;
	memset(shadow->spts, 0, nr * PAGE_SIZE);
	memset(shadow->page, 0, (size_t)((u8 *)(shadow->hash + buckets) - (u8 *)shadow->page));
	for (unsigned i = nr; i--;) {
		struct mmu_page *page = &shadow->page[i];

		page->spt = (u64 *)(shadow->spts + i * PAGE_SIZE);
		page->gptes = (u64 *)(gptes + i * PAGE_SIZE);
		page->next = shadow->free;
		shadow->free = page;
	}
	shadow->nr_free = nr;
	return true;
}

static struct mmu_page **bucket(const struct shadow *shadow, gfn_t gfn)
{
	return &shadow->hash[(gfn ^ gfn >> 12) & shadow->hash_mask];
}

struct mmu_page *shadow_child(const struct shadow *shadow, u64 spte)
{
	return &shadow->page[((spte & PT_ADDR) - shadow->spts_pa) >> PAGE_SHIFT];
}

void shadow_set_spte(struct mmu_page *page, unsigned index, u64 spte, u64 gpte, bool global)
{
	u64 bit = BIT(index % 64), *present = &page->present[index / 64],
	    *local = &page->local[index / 64];

	page->gptes[index] = gpte;
	*present = spte ? *present | bit : *present & ~bit;
	*local = spte && !global ? *local | bit : *local & ~bit;
	__atomic_store_n(&page->spt[index], spte, __ATOMIC_RELEASE);
}

/* The entries of a free page are all 0. */
static void clear(struct mmu_page *page)
{
	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		for (u64 bits = page->present[word]; bits; bits &= bits - 1)
			page->spt[word * 64 + (unsigned)__builtin_ctzll(bits)] = 0;
		page->present[word] = page->local[word] = 0;
	}
}

/* Has each vCPU that can be in its guest flushed its TLB since the last time that pages were
 * retired? One that waits for a SIPI flushes when it starts. */
static bool all_have_seen(const struct shadow *shadow)
{
	for (unsigned i = 0; i < shadow->vm->nr_vcpus; i++) {
		const struct vcpu *vcpu = shadow->vm->vcpus[i];

		if (__atomic_load_n(&vcpu->mp_state, __ATOMIC_ACQUIRE) != MP_STATE_WAIT_FOR_SIPI &&
		    __atomic_load_n(&vcpu->shadow->seen, __ATOMIC_ACQUIRE) != shadow->retires)
			return false;
	}
	return true;
}

void shadow_free_retired(struct shadow *shadow)
{
	if (!shadow->retired || !all_have_seen(shadow))
		return;
	while (shadow->retired) {
		struct mmu_page *page = shadow->retired;

		shadow->retired = page->next;
		clear(page);
		page->next = shadow->free;
		shadow->free = page;
		shadow->nr_free++;
	}
}

void shadow_retire_all(struct shadow *shadow)
{
	memset(shadow->hash, 0, (shadow->hash_mask + 1) * sizeof(*shadow->hash));
	for (unsigned i = 0; i < shadow->nr; i++) {
		struct mmu_page *page = &shadow->page[i];

		if (!page->used)
			continue;
		page->used = false;
		page->next = shadow->retired;
		shadow->retired = page;
	}
	shadow->retires++;
	for (unsigned i = 0; i < shadow->vm->nr_vcpus; i++)
		vcpu_make_request(shadow->vm->vcpus[i], REQ_SHADOW);
}

/* Where the guest's entry is that entry 0 of a page stands for. */
static const void *table_of(struct vm *vm, gfn_t gfn, union mmu_role role)
{
	u64 hva = role.direct ? 0 : gfn_to_hva(vm, gfn);

	if (!hva)
		return NULL;
	if (role.levels == 2)
		hva += role.quadrant * (role.level == 2 ? 1024u : 2048u);
	return (const void *)hva;
}

static struct mmu_page *new_page(struct shadow *shadow, gfn_t gfn, union mmu_role role)
{
	struct mmu_page *page;

	shadow_free_retired(shadow);
	page = shadow->free;
	if (!page) {
		/* Until it has been carried out, there is no page. */
		if (!shadow->retired)
			shadow_retire_all(shadow);
		return NULL;
	}
	shadow->free = page->next;
	shadow->nr_free--;
	page->gfn = gfn;
	page->role = role;
	page->used = true;
	page->table = table_of(shadow->vm, gfn, role);
	page->next = *bucket(shadow, gfn);
	*bucket(shadow, gfn) = page;
	return page;
}

struct mmu_page *shadow_get_page(struct shadow *shadow, gfn_t gfn, union mmu_role role, bool *old)
{
	for (struct mmu_page *page = *bucket(shadow, gfn); page; page = page->next) {
		if (page->gfn == gfn && page->role.word == role.word) {
			*old = true;
			return page;
		}
	}
	*old = false;
	return new_page(shadow, gfn, role);
}
