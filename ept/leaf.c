/* SPDX-License-Identifier: MIT */
/*
 * Leaves: the entry that maps a page, and a page as many smaller ones. See tables.h.
 */
#include "ept/tables.h"

u64 ept_new_leaf(const struct change *c, u64 old, int level, gpa_t gpa)
{
	if (c->kind == PROTECT)
		return (old & ~EPT_RWX) | c->bits;
	return (gpa + c->offset) | c->bits | (level > 1 ? EPT_LEAF : 0);
}

/* A CPU may set accessed and dirty flags in @entry while we copy it; they would be lost, so we set
 * both in every new entry. */
u64 *ept_split(struct ept *ept, u64 entry, int level)
{
	u64 *table = ept->ops.alloc_page();

	if (!table || !is_present(entry))
		return table;
	if (ept->caps.ad)
		entry |= AD_FLAGS;
	if (level == 2)
		entry &= ~EPT_LEAF;
	for (int i = 0; i < ENTRIES; i++)
		table[i] = entry + (u64)i * entry_size(level - 1);
	return table;
}
