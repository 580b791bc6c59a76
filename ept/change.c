/* SPDX-License-Identifier: MIT */
/*
 * A change to the pages of a range, from the root down: map, unmap, protect. See tables.h.
 */
#include "ept/tables.h"
#include "errno.h"

/*
 * Remove @table, of @level, and all tables below it. A table that was @live may still be in use by
 * a walk, so it is not freed but put on the list of retired tables. The list's link is in the first
 * entry, whose low bits, from an aligned address, still say "not present".
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

/* Replace the table below @entry by one page if that maps the same; remove it if it is empty. */
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
 * Can the change of [@gpa, @end) be made in the one entry of @level that is @old now, without
 * changing a table below it? If so, stores the new entry in *@new.
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

/* Change [@gpa, @end), a part or all of what @entry of @level covers. */
static int change_entry(struct ept *ept, u64 *entry, int level, gpa_t gpa, gpa_t end,
			const struct change *c)
{
	u64 old = read_entry(entry), new;
	u64 *table;
	int ret;

	if (fits_entry(ept, c, old, level, gpa, end, &new)) {
		if (new == old)
			return 0;
		if (c->kind == PROTECT) /* atomic: keeps flags that a CPU sets at this moment */
			__atomic_fetch_xor(entry, old ^ new, __ATOMIC_ACQ_REL);
		else
			write_entry(entry, new);
		if (is_table(old, level))
			drop_table(ept, table_of(ept, old), level - 1, true);
		return 0;
	}
	if (is_table(old, level)) {
		ret = ept_change_table(ept, table_of(ept, old), level - 1, gpa, end, c);
		collapse(ept, entry, level);
		return ret;
	}
	/* All entries of level 1 fit, for @gpa and @end are multiples of its size. */
	table = level > 1 ? ept_split(ept, old, level) : NULL;
	if (!table)
		return -ENOMEM;
	ret = ept_change_table(ept, table, level - 1, gpa, end, c);
	if (ret) {
		drop_table(ept, table, level - 1, false);
		return ret;
	}
	write_entry(entry, table_pa(ept, table) | EPT_RWX);
	return 0;
}

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
