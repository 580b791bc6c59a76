/* SPDX-License-Identifier: MIT */
/*
 * Lab 5, hole 4: map, unmap, protect. Your file takes the place of ept/change.c. ept/tables.h has
 * what you need.
 */
#include "ept/tables.h"
#include "errno.h"
#include "lib/log.h"

/*
 * Given. Remove @table, of @level, and all tables below it. A table that was @live may still be in
 * use by a walk, so it is not freed but put on the list of retired tables. The list's link is in
 * the first entry, whose low bits, from an aligned address, still say "not present".
 */
static void drop_table(struct ept *ept, u64 *table, int level, bool live)
{
	for (int i = 0; level > 1 && i < ENTRIES; i++) {
		u64 entry = read_entry(&table[i]);

		if (is_table(entry, level))
			drop_table(ept, table_of(ept, entry), level - 1, live);
	}
	if (!live) {
		ept->ops.free_page(table);
		return;
	}
	write_entry(&table[0], (uintptr_t)ept->retired);
	ept->retired = table;
}

/* Given. Replace the table below @entry by one page if that maps the same; remove it if it is
 * empty. */
static void collapse(struct ept *ept, u64 *entry, int level)
{
	u64 *table = table_of(ept, *entry);
	u64 first = table[0] & ~AD_FLAGS, step = 0, merged = 0;

	if (is_present(first)) {
		if (first & EPT_HELD || !leaf_allowed(ept, level) || !is_leaf(first, level - 1) ||
		    !IS_ALIGNED(first & EPT_ADDR_MASK, entry_size(level)))
			return;
		step = entry_size(level - 1);
		merged = first | EPT_LEAF | (ept->caps.ad ? AD_FLAGS : 0);
	}
	/* Start at the end: tables are mostly filled from the start, so a difference is found
	 * early. */
	for (int i = ENTRIES - 1; i > 0; i--) {
		if ((table[i] & ~AD_FLAGS) != first + (u64)i * step)
			return;
	}
	write_entry(entry, merged);
	drop_table(ept, table, level - 1, true);
}

/*
 * Given. Can the change of [@gpa, @end) be made in the one entry of @level that is @old now,
 * without changing a table below it? If so, stores the new entry in *@new.
 */
static bool fits_entry(const struct ept *ept, const struct change *c, u64 old, int level, gpa_t gpa,
		       gpa_t end, u64 *new)
{
	u64 size = entry_size(level);
	gpa_t start = ALIGN_DOWN(gpa, size);

	*new = old;
	if (!is_present(old) && c->kind != MAP)
		return true;
	if (is_leaf(old, level) && c->kind != UNMAP &&
	    ((ept_new_leaf(c, old, level, start) ^ old) & ~AD_FLAGS) == 0)
		return true;
	if (end - gpa != size)
		return false;
	switch (c->kind) {
	case UNMAP:
		*new = 0;
		return true;
	case PROTECT:
		*new = ept_new_leaf(c, old, level, gpa);
		return is_leaf(old, level);
	default:
		*new = ept_new_leaf(c, old, level, gpa);
		return leaf_allowed(ept, level) && IS_ALIGNED(gpa + c->offset, size);
	}
}

/*
 * Hole 4. Make the change @c for the guest-physical addresses from @gpa up to @end, which are a
 * part or all of what @entry of @level covers. There are three cases:
 *
 * 1. fits_entry(): the change can be made in this entry alone. Write the new entry, unless it is
 *    the old one. If the old one pointed to a table, drop that (drop_table()): first write the
 *    entry, then drop the table, as a CPU may still come to it meanwhile. Write by write_entry();
 *    but a PROTECT by __atomic_fetch_xor(entry, old ^ new, __ATOMIC_ACQ_REL), which keeps a flag
 *    that a CPU sets at this moment.
 *
 * 2. The entry points to a table (is_table()): change that by ept_change_table(), at level - 1.
 *    Afterwards call collapse(), whether it has succeeded or not: the table may map the same as one
 *    large page now, or be empty.
 *
 * 3. Otherwise split the entry (ept_split()), and change the new table. Only when that is done let
 *    @entry point to it (table_pa(), with the permissions EPT_RWX). Until then no CPU can be in it:
 *    if the change fails, drop it at once, and @entry is as it was.
 *
 * drop_table() must be told whether the table was live: may a CPU have it in its caches, or be in
 * it at this moment? Then it is not freed before all CPUs have executed INVEPT.
 *
 * Return 0, or -ENOMEM without memory for a table.
 */
static int change_entry(struct ept *ept, u64 *entry, int level, gpa_t gpa, gpa_t end,
			const struct change *c)
{
	(void)ept, (void)entry, (void)level, (void)gpa, (void)end, (void)c;
	(void)fits_entry, (void)collapse;
	pr_info("Lab 5: change_entry() is yours to write.\n");
	return -ENOMEM;
}

/* Given: each entry of @table that [@gpa, @end) touches. */
int ept_change_table(struct ept *ept, u64 *table, int level, gpa_t gpa, gpa_t end,
		     const struct change *c)
{
	u64 size = entry_size(level);

	while (gpa < end) {
		gpa_t next = MIN(ALIGN_DOWN(gpa, size) + size, end);
		int ret = change_entry(ept, &table[gpa / size % ENTRIES], level, gpa, next, c);

		if (ret)
			return ret;
		gpa = next;
	}
	return 0;
}
