/* SPDX-License-Identifier: MIT */
/*
 * The walk of a guest's page tables. See guest_walk.h.
 */
#include "vmm/x86/guest_walk.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "vmm/memslot.h"

#define PT_KEY(entry) ((unsigned)((entry) >> 59 & 15)) /* of a leaf */
#define KEY_AD        1u                               /* no access */
#define KEY_WD        2u                               /* no write */

u64 walk_reserved(const struct paging_mode *mode, int level, bool leaf)
{
	unsigned phys = mode->phys_bits;
	u64 bits;

	if (mode->entry_size == 4)
		return leaf && level == 2 ? GENMASK(21, MIN(phys, 40) - 32 + 13) : 0;
	bits = phys < 52 || mode->levels == 3 ? GENMASK(mode->levels == 3 ? 62 : 51, phys) : 0;
	if (!mode->nx)
		bits |= PT_NX;
	if (leaf && level > 1)
		bits |= GENMASK(level_shift(mode, level) - 1, 13);
	if (level > 3 || (level == 3 && !mode->page_1g))
		bits |= PT_PS;
	return bits;
}

gpa_t walk_page(const struct paging_mode *mode, int level, u64 entry)
{
	u64 page = entry & (mode->entry_size == 4 ? GENMASK(31, 12) : PT_ADDR);

	if (level == 1)
		return page;
	if (mode->entry_size == 4)
		page |= (entry >> 13 & 0xff) << 32;
	return page & ~(BIT(level_shift(mode, level)) - 1);
}

static u64 table_address(const struct paging_mode *mode, u64 entry)
{
	return entry & (mode->entry_size == 4 ? GENMASK(31, 12) : PT_ADDR);
}

/* The entry of @size bytes at @at, and where it is in the host: NULL outside of memory. */
static u64 read_entry(struct vm *vm, gpa_t at, unsigned size, void **host)
{
	u64 hva = gfn_to_hva(vm, at >> PAGE_SHIFT);

	*host = hva ? (void *)(hva + (at & ~PAGE_MASK)) : NULL;
	if (!hva)
		return ~0ull >> (64 - 8 * size);
	return size == 4 ? *(const volatile u32 *)*host : *(const volatile u64 *)*host;
}

/* Set @flags in the entry at @host, which has been read as *@entry. Returns false if it is another
 * one now. */
static bool set_flags(void *host, u64 *entry, u64 flags, unsigned size)
{
	u64 new = *entry | flags;
	u32 old = (u32)*entry;
	bool same = true;

	if (new == *entry)
		return true;
	if (host && size == 4)
		same = __atomic_compare_exchange_n((u32 *)host, &old, (u32) new, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	else if (host)
		same = __atomic_compare_exchange_n((u64 *)host, entry, new, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_RELAXED);
	if (same)
		*entry = new;
	return same;
}

/* SDM: "Determination of Access Rights". @acc: of all entries. */
static bool may_access(const struct guest_walk *w, unsigned acc)
{
	const struct paging_mode *mode = w->mode;
	bool user = w->access & PF_ERROR_U, fetch = w->access & PF_ERROR_FETCH;

	if (user && !(acc & ACC_U))
		return false;
	if (fetch && (!(acc & ACC_X) || (!user && acc & ACC_U && mode->smep)))
		return false;
	if (!user && !fetch && acc & ACC_U && mode->smap && !(w->access & WALK_AC))
		return false;
	return !(w->access & PF_ERROR_W) || acc & ACC_W || !(user || mode->wp);
}

/* SDM: "Protection Keys". @entry is the leaf. */
static bool key_allows(const struct guest_walk *w, unsigned acc, u64 entry)
{
	const struct paging_mode *mode = w->mode;
	bool user = acc & ACC_U;
	u32 keys;

	if (mode->levels < 4 || w->access & PF_ERROR_FETCH || !(user ? mode->pke : mode->pks))
		return true;
	keys = w->keys(user) >> 2 * PT_KEY(entry);
	if (keys & KEY_AD)
		return false;
	return !(keys & KEY_WD && w->access & PF_ERROR_W && (w->access & PF_ERROR_U || mode->wp));
}

/* The bits of #PF's error code that do not depend on the entries. */
static u32 access_error(const struct guest_walk *w)
{
	u32 error = w->access & (PF_ERROR_W | PF_ERROR_U);

	if (w->access & PF_ERROR_FETCH && (w->mode->smep || (w->mode->nx && w->mode->levels > 2)))
		error |= PF_ERROR_FETCH;
	return error;
}

/* The walk without checks of rights, down to the leaf. @host: where the entries are in the host. */
static int find_leaf(struct guest_walk *w, void *host[])
{
	const struct paging_mode *mode = w->mode;
	u64 table = w->table;
	unsigned acc = w->acc;

	for (int level = w->top;; level--) {
		u64 index = w->gva >> level_shift(mode, level) & (BIT(mode->index_bits) - 1);
		bool pdpte = mode->levels == 3 && level == 3, leaf;
		u64 entry;

		if (pdpte)
			index &= 3;
		w->at[level] = table + index * mode->entry_size;
		host[level] = NULL;
		if (pdpte && mode->pdpte)
			entry = mode->pdpte[index];
		else
			entry = read_entry(w->vm, w->at[level], mode->entry_size, &host[level]);
		w->level = level;
		w->entry[level] = entry;
		w->rights[level] = (u8)acc;
		w->leaf_acc = acc;
		if (!(entry & PT_P))
			return -EFAULT;
		leaf = is_leaf_entry(mode, level, entry);
		w->error |= PF_ERROR_P;
		if (!pdpte && entry & walk_reserved(mode, level, leaf)) {
			w->error |= PF_ERROR_RSVD;
			return -EFAULT;
		}
		if (!pdpte)
			acc &= entry_acc(entry);
		w->leaf_acc = acc;
		if (leaf)
			return 0;
		w->error &= ~PF_ERROR_P;
		table = table_address(mode, entry);
	}
}

void walk_begin(struct guest_walk *w)
{
	w->top = w->mode->levels;
	w->table = w->mode->root;
	w->acc = ACC_ALL;
}

/* Set the flags, from the top, as the access does. Returns false if an entry has changed. */
static bool mark_accessed(struct guest_walk *w, void *host[])
{
	const struct paging_mode *mode = w->mode;

	for (int level = w->top; level >= w->level; level--) {
		u64 flags = PT_A;

		if (mode->levels == 3 && level == 3)
			continue;
		if (level == w->level && w->access & PF_ERROR_W)
			flags |= PT_D;
		if (!set_flags(host[level], &w->entry[level], flags, mode->entry_size))
			return false;
	}
	return true;
}

int walk_addr(struct guest_walk *w)
{
	const struct paging_mode *mode = w->mode;
	void *host[PT_MAX_LEVEL + 1];
	u64 offset;

	if (mode->levels < 4)
		w->gva = (u32)w->gva;
	w->gpa = w->gva;
	if (!mode->levels) {
		w->level = 0;
		w->leaf_acc = ACC_ALL;
		return 0;
	}
	do {
		w->error = access_error(w);
		if (find_leaf(w, host))
			return -EFAULT;
		offset = BIT(level_shift(mode, w->level)) - 1;
		w->gpa = walk_page(mode, w->level, w->entry[w->level]) | (w->gva & offset);
		if (w->access & WALK_CHECKED)
			return 0;
		if (!key_allows(w, w->leaf_acc, w->entry[w->level])) {
			w->error |= PF_ERROR_PK;
			return -EFAULT;
		}
		if (!may_access(w, w->leaf_acc))
			return -EFAULT;
	} while (!mark_accessed(w, host));
	return 0;
}
