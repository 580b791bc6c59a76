/* SPDX-License-Identifier: MIT */
/*
 * EPT tables: what ept.h offers, but for the walk (walk.c) and the permissions (prot.c). How a
 * change is made is in change.c.
 */
#include "ept/tables.h"
#include "errno.h"

static int change(struct ept *ept, gpa_t gpa, u64 size, const struct change *c)
{
	int ret;

	if (!size || !IS_ALIGNED(gpa | size, PAGE_SIZE))
		return -EINVAL;
	if (gpa > EPT_GPA_END || size > EPT_GPA_END - gpa)
		return -ERANGE;
	spin_lock(&ept->lock);
	ept->changes++;
	ret = ept_change_table(ept, ept->root, ROOT_LEVEL, gpa, gpa + size, c);
	spin_unlock(&ept->lock);
	return ret;
}

/* @held: 0, or EPT_HELD, perhaps with EPT_SPP. */
static int map(struct ept *ept, gpa_t gpa, hpa_t hpa, u64 size, unsigned prot, unsigned memtype,
	       u64 held)
{
	struct change c = {MAP, hpa - gpa, prot | (u64)memtype << EPT_MEMTYPE_SHIFT | held};
	u64 hpa_end = BIT(ept->caps.phys_bits);

	if (memtype > MEMTYPE_WB || memtype == 2 || memtype == 3 || !IS_ALIGNED(hpa, PAGE_SIZE))
		return -EINVAL;
	if (hpa > hpa_end || size > hpa_end - hpa)
		return -ERANGE;
	return change(ept, gpa, size, &c);
}

int ept_map(struct ept *ept, gpa_t gpa, hpa_t hpa, u64 size, unsigned prot, unsigned memtype)
{
	int ret = ept_check_prot(ept, prot);

	return ret ? ret : map(ept, gpa, hpa, size, prot, memtype, 0);
}

int ept_hold(struct ept *ept, gpa_t gpa, hpa_t hpa, unsigned prot, unsigned memtype)
{
	u64 held = EPT_HELD | (prot & EPT_SUBPAGE ? EPT_SPP : 0);
	unsigned plain = prot & ~(unsigned)EPT_SUBPAGE;
	int ret = prot ? ept_check_prot(ept, plain) : 0;

	if (!ret && prot & EPT_SUBPAGE && (!(plain & EPT_R) || plain & EPT_W))
		ret = -EINVAL;
	if (!ret && prot & EPT_SUBPAGE && !ept->caps.subpage)
		ret = -EOPNOTSUPP;
	return ret ? ret : map(ept, gpa, hpa, PAGE_SIZE, plain, memtype, held);
}

/*
 * True if the table of @entry still has a hole after @entry is mapped, so that collapse() would not
 * find it full. Looks at the ends only: a table that may be full is left to ept_change_table().
 */
static bool table_stays_partial(const u64 *entry)
{
	const u64 *table = (const u64 *)ALIGN_DOWN((uintptr_t)entry, PAGE_SIZE);
	const u64 *end = &table[ENTRIES - 1];

	return entry != table && entry != end && !(is_present(*table) && is_present(*end));
}

static int fill_hole(struct ept *ept, gpa_t gpa, u64 block, u64 bits)
{
	struct change c = {.kind = MAP, .bits = bits};
	unsigned shift;
	u64 *entry = ept_last_entry(ept, gpa, &shift), size;

	if (is_present(*entry))
		return -EEXIST;
	size = MIN(BIT(shift), block);
	gpa = ALIGN_DOWN(gpa, size);
	if (size == BIT(shift) && shift > PAGE_SHIFT && leaf_allowed(ept, level_of(shift)) &&
	    table_stays_partial(entry)) {
		write_entry(entry, gpa | bits | EPT_LEAF);
		return 0;
	}
	return ept_change_table(ept, ept->root, ROOT_LEVEL, gpa, gpa + size, &c);
}

int ept_map_hole(struct ept *ept, gpa_t gpa, u64 block, unsigned memtype)
{
	int ret;

	if (gpa >= MIN(EPT_GPA_END, BIT(ept->caps.phys_bits)))
		return -ERANGE;
	spin_lock(&ept->lock);
	ept->changes++;
	ret = fill_hole(ept, gpa, block, EPT_RWX | (u64)memtype << EPT_MEMTYPE_SHIFT);
	spin_unlock(&ept->lock);
	return ret;
}

int ept_unmap(struct ept *ept, gpa_t gpa, u64 size)
{
	struct change c = {.kind = UNMAP};

	return change(ept, gpa, size, &c);
}

int ept_protect(struct ept *ept, gpa_t gpa, u64 size, unsigned prot)
{
	struct change c = {.kind = PROTECT, .bits = prot};
	int ret = ept_check_prot(ept, prot);

	return ret ? ret : change(ept, gpa, size, &c);
}

int ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps)
{
	if (caps->phys_bits < 32 || caps->phys_bits > 52)
		return -EINVAL;
	*ept = (struct ept){.ops = *ops, .caps = *caps};
	ept->root = ept->ops.alloc_page();
	return ept->root ? 0 : -ENOMEM;
}

u64 *ept_take_retired(struct ept *ept)
{
	u64 *tables;

	spin_lock(&ept->lock);
	tables = ept->retired;
	ept->retired = NULL;
	spin_unlock(&ept->lock);
	return tables;
}

/* The next table of a list of retired ones. */
static u64 *next_retired(const u64 *table)
{
	return (u64 *)(uintptr_t)table[0];
}

void ept_free_retired(struct ept *ept, u64 *tables)
{
	spin_lock(&ept->lock);
	while (tables) {
		u64 *table = tables;

		tables = next_retired(table);
		ept->ops.free_page(table);
	}
	spin_unlock(&ept->lock);
}

void ept_retire_again(struct ept *ept, u64 *tables)
{
	u64 *last = tables;

	if (!tables)
		return;
	while (next_retired(last))
		last = next_retired(last);
	spin_lock(&ept->lock);
	write_entry(&last[0], (uintptr_t)ept->retired);
	ept->retired = tables;
	spin_unlock(&ept->lock);
}

void ept_reclaim(struct ept *ept)
{
	ept_free_retired(ept, ept_take_retired(ept));
}

/* SDM: "Extended-Page-Table Pointer (EPTP)". */
u64 ept_pointer(const struct ept *ept)
{
	return table_pa(ept, ept->root) | (ept->caps.ad ? BIT(6) : 0) | (ROOT_LEVEL - 1) << 3 |
	       MEMTYPE_WB;
}
