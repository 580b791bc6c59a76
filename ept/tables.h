/* SPDX-License-Identifier: MIT */
/*
 * What the files of ept/ share: one entry, one table, and a change to the pages of a range.
 *
 * Level 1 is a page table, whose entries map 4 KiB, and level 4 is the PML4 table.
 */
#ifndef GH_EPT_TABLES_H
#define GH_EPT_TABLES_H

#include "ept/ept.h"

#define ENTRIES    512
#define ROOT_LEVEL 4
#define ROOT_SHIFT 39
#define AD_FLAGS   (EPT_ACCESSED | EPT_DIRTY)

static inline u64 entry_size(int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* The level whose entries cover 2^@shift bytes. */
static inline int level_of(unsigned shift)
{
	return (int)((shift - PAGE_SHIFT) / 9 + 1);
}

/* For us. For the CPU, a held entry without permissions is not present. */
static inline bool is_present(u64 entry)
{
	return entry & (EPT_RWX | EPT_HELD);
}

static inline bool is_leaf(u64 entry, int level)
{
	return is_present(entry) && (level <= 1 || (entry & EPT_LEAF));
}

static inline bool is_table(u64 entry, int level)
{
	return is_present(entry) && !is_leaf(entry, level);
}

static inline bool leaf_allowed(const struct ept *ept, int level)
{
	return level == 1 || (level == 2 && ept->caps.page_2m) || (level == 3 && ept->caps.page_1g);
}

static inline u64 *table_of(const struct ept *ept, u64 entry)
{
	return (u64 *)((entry & EPT_ADDR_MASK) + ept->ops.va_offset);
}

static inline hpa_t table_pa(const struct ept *ept, const u64 *table)
{
	return (uintptr_t)table - ept->ops.va_offset;
}

static inline u64 read_entry(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static inline void write_entry(u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* A change to every page of a range. */
struct change {
	enum { MAP, UNMAP, PROTECT } kind;
	u64 offset; /* MAP: hpa - gpa */
	u64 bits;   /* MAP: permissions and memory type; PROTECT: permissions */
};

/*
 * Make the change @c in [@gpa, @end), all of which @table of @level covers. Returns 0 or -ENOMEM.
 * (change.c)
 */
int ept_change_table(struct ept *ept, u64 *table, int level, gpa_t gpa, gpa_t end,
		     const struct change *c);

/* The entry at which a walk for @gpa, below 48 bits, ends: a leaf or a hole. It covers 2^*@shift
 * bytes. (walk.c) */
u64 *ept_last_entry(const struct ept *ept, gpa_t gpa, unsigned *shift);

/* What the change @c, MAP or PROTECT, makes of @old, a leaf or empty, for @gpa at @level. (leaf.c)
 */
u64 ept_new_leaf(const struct change *c, u64 old, int level, gpa_t gpa);

/* Allocate a table that maps the same as the leaf @entry of @level, in smaller pages; an empty
 * table if @entry is not present. Returns NULL without memory. (leaf.c) */
u64 *ept_split(struct ept *ept, u64 entry, int level);

#endif
