/* SPDX-License-Identifier: MIT */
/*
 * Lab 8, holes 1 and 4: the walk of a guest's page tables. Your file takes the place of
 * vmm/x86/guest_walk.c. The guest of this lab uses 4-level paging: an entry has 8 bytes, a table
 * 512 of them. Other modes need not work.
 */
#include "vmm/x86/guest_walk.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"

#define PT_KEY(entry) ((unsigned)((entry) >> 59 & 15)) /* of a leaf */
#define KEY_AD        1u                               /* no access */
#define KEY_WD        2u                               /* no write */
#define MAX_TRIES     64u                              /* while another CPU changes an entry */

/* Given. SDM: "Protection Keys". @entry is the leaf. */
static bool key_allows(struct guest_walk *w, u64 entry)
{
	const struct paging_mode *mode = w->mode;
	bool user = w->leaf_acc & ACC_U;
	u32 keys;

	if (mode->levels < 4 || w->access & PF_ERROR_FETCH || !(user ? mode->pke : mode->pks))
		return true;
	keys = w->keys(user) >> 2 * PT_KEY(entry);
	if (keys & KEY_AD)
		return false;
	if (!(keys & KEY_WD && w->access & PF_ERROR_W))
		return true;
	w->leaf_acc &= ~ACC_W; /* only CR0.WP = 0 allows it, as if the page were read-only */
	return !(w->access & PF_ERROR_U || mode->wp);
}

/*
 * Hole 1. Walk from the table at guest-physical w->table, of level w->top (4: the top), down to the
 * entry that maps a page: the leaf. Do not look at rights, except to collect them. @host and the
 * arrays of @w are indexed by levels: 1 is the table whose entries map 4 KiB. At each level:
 *
 *  - The index is bits of w->gva: level_shift(w->mode, level) says from where on, 9 of them.
 *    w->at[level] is the guest-physical address of the entry. read_guest_entry(w->vm, address, 8,
 *    &host[level]) reads it: w->entry[level]. Read it once only: another CPU may change it.
 *  - w->level is the level; w->rights[level] what the entries above allow together, w->acc at the
 *    top.
 *  - An entry without PT_P: return -EFAULT. Bits of w->error that are set already stay.
 *  - An entry with a bit of walk_reserved(w->mode, level, leaf): set PF_ERROR_P and
 *    PF_ERROR_RSVD in w->error and return -EFAULT. @leaf: is_leaf_entry(w->mode, level, entry).
 *  - The entry's own rights (entry_acc()) come to those above. w->leaf_acc: all together, also when
 *    the walk ends by an error: then of the entries before.
 *  - A leaf: set PF_ERROR_P in w->error, in case the access is refused, and return 0. Otherwise the
 *    next table is at walk_table(w->mode, entry).
 *
 * SDM: "4-Level Paging and 5-Level Paging".
 */
static int find_leaf(struct guest_walk *w, void *host[])
{
	(void)w, (void)host;
	pr_warn_ratelimited("Lab 8: find_leaf() is yours to write.");
	return -EFAULT;
}

/* Given. */
void walk_begin(struct guest_walk *w)
{
	w->top = w->mode->levels;
	w->table = w->mode->root;
	w->acc = ACC_ALL;
}

/*
 * Hole 4. The access of @w is allowed: set the flags that it sets, from level w->top down to
 * w->level, the leaf's. PT_A in each entry; PT_D in the leaf, if it is a write. set_entry_flags(
 * host[level], &w->entry[level], flags, 8) sets them, if the entry is still the one that was read.
 * If it is not, return false: the walk begins again. Return true when all are set. SDM: "Accessed
 * and Dirty Flags".
 */
static bool mark_accessed(struct guest_walk *w, void *host[])
{
	(void)w, (void)host;
	return true; /* yours to write */
}

/* Given: it calls all four. */
int walk_addr(struct guest_walk *w)
{
	const struct paging_mode *mode = w->mode;
	void *host[PT_MAX_LEVEL + 1];
	u64 offset;

	w->gpa = w->gva;
	if (!mode->levels) {
		w->level = 0;
		w->leaf_acc = ACC_ALL;
		return 0;
	}
	for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
		w->error = access_error(mode, w->access);
		if (find_leaf(w, host))
			return -EFAULT;
		offset = BIT(level_shift(mode, w->level)) - 1;
		w->gpa = walk_page(mode, w->level, w->entry[w->level]) | (w->gva & offset);
		if (w->access & WALK_CHECKED)
			return 0;
		if (!key_allows(w, w->entry[w->level])) {
			w->error |= PF_ERROR_PK;
			return -EFAULT;
		}
		if (!may_access(mode, w->access, w->leaf_acc))
			return -EFAULT;
		if (mark_accessed(w, host))
			return 0;
	}
	return -EAGAIN;
}
