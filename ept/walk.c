/* SPDX-License-Identifier: MIT */
/*
 * The walk through the tables. See ept.h, tables.h.
 */
#include "ept/tables.h"

u64 *ept_last_entry(const struct ept *ept, gpa_t gpa, unsigned *shift)
{
	u64 *table = ept->root, *entry, value;

	*shift = ROOT_SHIFT;
	for (;;) {
		entry = &table[gpa >> *shift & (ENTRIES - 1)];
		value = read_entry(entry);
		if (!is_present(value) || *shift == PAGE_SHIFT || value & EPT_LEAF)
			return entry;
		table = table_of(ept, value);
		*shift -= 9;
	}
}

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
