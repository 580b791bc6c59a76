/* SPDX-License-Identifier: MIT */
/*
 * Lab 5, hole 1: the walk. Your file takes the place of ept/walk.c. ept/tables.h has what you need.
 */
#include "ept/tables.h"
#include "lib/log.h"

/*
 * Hole 1. Walk through the tables of @ept, as the CPU does, for the guest-physical address @gpa,
 * which is below 2^48. Start in the table ept->root, of level 4. In a table of level L, 9 bits of
 * the address choose the entry: bits 47:39 at level 4, 38:30 at level 3, 29:21 at level 2, 20:12 at
 * level 1. An entry that points to a table (is_table()) leads on to the table of the next lower
 * level (table_of()). Read an entry by read_entry(): another CPU may write it at this moment.
 *
 * Return the address of the entry at which the walk ends: a hole, or one that maps a page. In
 * *@shift store how much of the address it covers, as a power of 2: 39 at level 4, 30, 21, or 12 at
 * level 1.
 */
u64 *ept_last_entry(const struct ept *ept, gpa_t gpa, unsigned *shift)
{
	(void)gpa;
	pr_info("Lab 5: ept_last_entry() is yours to write.\n");
	*shift = ROOT_SHIFT;
	return ept->root;
}

/* Given, from here on: what the entry says. */
static void describe(u64 entry, int level, gpa_t gpa, struct ept_mapping *out)
{
	u64 size = entry_size(level);

	*out = (struct ept_mapping){.size = size, .level = level, .entry = entry};
	if (!is_present(entry))
		return;
	out->hpa = (entry & EPT_ADDR_MASK) + (gpa & (size - 1));
	out->prot = entry & EPT_RWX;
	out->memtype = (entry & EPT_MEMTYPE_MASK) >> EPT_MEMTYPE_SHIFT;
}

bool ept_walk(const struct ept *ept, gpa_t gpa, struct ept_mapping *out)
{
	unsigned shift = ROOT_SHIFT;
	u64 entry = gpa < EPT_GPA_END ? read_entry(ept_last_entry(ept, gpa, &shift)) : 0;

	describe(entry, level_of(shift), gpa, out);
	return is_present(entry);
}

u64 ept_entry(const struct ept *ept, gpa_t gpa, int level)
{
	const u64 *table = ept->root;
	int at = ROOT_LEVEL;

	for (unsigned shift = ROOT_SHIFT;; shift -= 9, at--) {
		u64 entry = read_entry(&table[gpa >> shift & (ENTRIES - 1)]);

		if (at == level || !is_table(entry, at))
			return entry;
		table = table_of(ept, entry);
	}
}
