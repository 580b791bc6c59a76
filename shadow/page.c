/* SPDX-License-Identifier: MIT */
/*
 * The shadow pages: their pool, how one is found, and how they end.
 */
#include "arch/x86/paging.h"
#include "debug_build.h"
#include "lib/string.h"
#include "shadow/shadow.h"
#include "vmm/memslot.h"

#define MIN_PAGES 64 /* more than the tables of one instruction */
#define ENOUGH    8  /* an eighth of all pages is enough to retire at a time */

/* A pool of @nr pages: what each needs, its table, the copies of the guest's entries, and buckets;
 * and the empty table. */
static u64 pool_bytes(unsigned nr)
{
	u64 buckets = 1;

	while (buckets < nr)
		buckets *= 2;
	return ALIGN_UP(nr * sizeof(struct mmu_page) + buckets * sizeof(struct mmu_page *),
			PAGE_SIZE) +
	       (2ull * nr + 1) * PAGE_SIZE;
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
	gptes = shadow->spts + (nr + 1ull) * PAGE_SIZE;
	shadow->page = (struct mmu_page *)(gptes + nr * PAGE_SIZE);
	shadow->hash = (struct mmu_page **)(shadow->page + nr);
	shadow->hash_mask = buckets - 1;
	memset(shadow->spts, 0, (nr + 1ull) * PAGE_SIZE);
	memset(shadow->page, 0, (size_t)((u8 *)(shadow->hash + buckets) - (u8 *)shadow->page));
	for (unsigned i = nr; i--;) {
		struct mmu_page *page = &shadow->page[i];

		page->spt = (u64 *)(shadow->spts + i * PAGE_SIZE);
		page->gptes = (u64 *)(gptes + i * PAGE_SIZE);
		page->next = shadow->free;
		shadow->free = page;
	}
	return true;
}

static struct mmu_page **bucket(const struct shadow *shadow, gfn_t gfn)
{
	return &shadow->hash[shadow_hash(shadow, gfn)];
}

void shadow_set_spte(const struct shadow *shadow, struct mmu_page *page, unsigned index, u64 spte,
		     u64 gpte, bool global)
{
	u64 bit = BIT(index % 64), *present = &page->present[index / 64],
	    *local = &page->local[index / 64];

	page->gptes[index] = gpte;
	*present = spte ? *present | bit : *present & ~bit;
	*local = spte && !global ? *local | bit : *local & ~bit;
	if (page->role.level > 1)
		page->links[index / 64] = spte && !is_leaf_spte(spte, page->role.level)
						  ? page->links[index / 64] | bit
						  : page->links[index / 64] & ~bit;
	__atomic_store_n(&page->spt[index], spte, __ATOMIC_RELEASE);
	if (DEBUG_BUILD)
		shadow_check_write(shadow, page, index);
}

/* The entries of a free page are all 0. */
static void clear(struct mmu_page *page)
{
	for (unsigned word = 0; word < BITMAP_WORDS; word++) {
		for (u64 bits = page->present[word]; bits; bits &= bits - 1)
			page->spt[word * 64 + (unsigned)__builtin_ctzll(bits)] = 0;
		page->present[word] = page->local[word] = page->links[word] = 0;
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
	}
	shadow->nr_retired = 0;
}

/* Mark @page and all below it: they are in use. */
static void mark(struct shadow *shadow, struct mmu_page *page, u64 visit)
{
	if (!shadow_visit(page, visit))
		return;
	for (unsigned word = 0; page->role.level > 1 && word < BITMAP_WORDS; word++) {
		for (u64 bits = page->present[word]; bits; bits &= bits - 1) {
			u64 spte = page->spt[word * 64 + (unsigned)__builtin_ctzll(bits)];

			if (!is_leaf_spte(spte, page->role.level))
				mark(shadow, shadow_child(shadow, spte), visit);
		}
	}
}

/* Mark what the vCPUs use, or keep for later. */
static void mark_used(struct shadow *shadow, u64 visit)
{
	for (unsigned i = 0; i < shadow->vm->nr_vcpus; i++) {
		const struct shadow_vcpu *v = shadow->vm->vcpus[i]->shadow;

		for (unsigned n = 0; n < ARRAY_SIZE(v->root); n++)
			if (v->root[n])
				mark(shadow, v->root[n], visit);
		for (unsigned n = 0; n < NR_CONTEXTS; n++)
			if (v->context[n].root)
				mark(shadow, v->context[n].root, visit);
	}
}

void shadow_retire(struct shadow *shadow, bool all)
{
	u64 visit = ++shadow->visit;

	shadow->retires++;
	shadow->epoch++;
	if (!all)
		mark_used(shadow, visit);
	else if (shadow->nr_frames)
		memset(shadow->shield, 0, shadow->nr_frames / 8);
	memset(shadow->hash, 0, (shadow->hash_mask + 1) * sizeof(struct mmu_page *));
	for (unsigned i = 0; i < shadow->nr; i++) {
		struct mmu_page *page = &shadow->page[i], **list = bucket(shadow, page->gfn);

		if (!page->used)
			continue;
		if (all || page->mark != visit) {
			page->used = false;
			shadow->nr_used--;
			list = &shadow->retired;
			shadow->nr_retired++;
		}
		page->next = *list;
		*list = page;
	}
	for (unsigned i = 0; i < shadow->vm->nr_vcpus; i++)
		vcpu_make_request(shadow->vm->vcpus[i], REQ_SHADOW);
	if (DEBUG_BUILD)
		shadow_check_all(shadow);
}

/* Memory is short: retire what no vCPU uses, and if that is little, all. */
static void reclaim(struct shadow *shadow)
{
	shadow_retire(shadow, false);
	if (shadow->nr_retired < shadow->nr / ENOUGH)
		shadow_retire(shadow, true);
}

/* Where the guest's entry is that entry 0 of a page stands for. */
static const void *table_of(struct vm *vm, gfn_t gfn, union mmu_role role)
{
	u64 hva = role.direct ? 0 : gfn_to_hva(vm, gfn);

	if (!hva)
		return NULL;
	if (role.levels == 2)
		hva += role.quadrant * (role.level == 2 ? 1024ull : 2048ull);
	return (const void *)hva;
}

static struct mmu_page *new_page(struct shadow *shadow, gfn_t gfn, union mmu_role role)
{
	struct mmu_page *page;

	shadow_free_retired(shadow);
	page = shadow->free;
	if (!page) {
		/* Until all vCPUs have flushed their TLB, there is no page. */
		if (!shadow->retired)
			reclaim(shadow);
		return NULL;
	}
	shadow->free = page->next;
	page->gfn = gfn;
	page->role = role;
	page->used = true;
	shadow->nr_used++;
	page->shielded = false;
	page->calm = 0;
	page->quiet = ~0ull;
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
