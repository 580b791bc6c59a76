/* SPDX-License-Identifier: MIT */
/*
 * The walk of a guest's page tables. See guest_walk.h.
 */
#include "vmm/x86/guest_walk.h"
#include "arch/x86/cpu.h"
#include "errno.h"

#define PT_KEY(entry) ((unsigned)((entry) >> 59 & 15)) /* of a leaf */
#define KEY_AD        1u                               /* no access */
#define KEY_WD        2u                               /* no write */
#define MAX_TRIES     64u                              /* while another CPU changes an entry */

/* SDM: "Protection Keys". @entry is the leaf. */
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
			entry = read_guest_entry(w->vm, w->at[level], mode->entry_size,
						 &host[level]);
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
		table = walk_table(mode, entry);
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
		if (!set_entry_flags(host[level], &w->entry[level], flags, mode->entry_size))
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
