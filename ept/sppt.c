/* SPDX-License-Identifier: MIT */
/*
 * The sub-page permission table. See sppt.h.
 */
#include "ept/sppt.h"
#include "ept/tables.h"
#include "errno.h"

#define VALID BIT(0)
#define PARTS 32

/* An entry of the last level: bit 2i is the permission of part i, the odd bits are reserved. */
static u64 vector(u32 writable)
{
	u64 entry = 0;

	for (unsigned i = 0; i < PARTS; i++)
		entry |= (u64)(writable >> i & 1) << 2 * i;
	return entry;
}

/* Returns the table that @entry points to, a new one where there is none; NULL without memory. */
static u64 *next_table(struct ept *ept, u64 *entry)
{
	u64 *table;

	if (*entry & VALID)
		return table_of(ept, *entry);
	table = ept->ops.alloc_page();
	if (table)
		__atomic_store_n(entry, table_pa(ept, table) | VALID, __ATOMIC_RELEASE);
	return table;
}

static int set(struct sppt *sppt, struct ept *ept, gpa_t gpa, u32 writable)
{
	u64 *table;

	if (!sppt->root)
		sppt->root = ept->ops.alloc_page();
	table = sppt->root;
	for (int level = ROOT_LEVEL; table && level > 1; level--)
		table = next_table(ept,
				   &table[gpa >> (PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1)]);
	if (!table)
		return -ENOMEM;
	__atomic_store_n(&table[gpa >> PAGE_SHIFT & (ENTRIES - 1)], vector(writable),
			 __ATOMIC_RELEASE);
	return 0;
}

int sppt_set(struct sppt *sppt, struct ept *ept, gpa_t gpa, u32 writable)
{
	int r;

	spin_lock(&ept->lock);
	r = set(sppt, ept, gpa, writable);
	spin_unlock(&ept->lock);
	return r;
}

u64 sppt_pointer(const struct sppt *sppt, const struct ept *ept)
{
	return sppt->root ? table_pa(ept, sppt->root) : 0;
}
