/* SPDX-License-Identifier: MIT */
/*
 * EPT tables: map, unmap, protect, walk. ept.h has the rules for their form and for concurrent
 * walks.
 *
 * Level 1 is a page table, whose entries map 4 KiB, and level 4 is the PML4 table.
 */
#include "ept/ept.h"
#include "errno.h"

#define ENTRIES    512
#define ROOT_LEVEL 4
#define ROOT_SHIFT 39
#define AD_FLAGS   (EPT_ACCESSED | EPT_DIRTY)

/* A change to every page of a range. */
struct change {
	enum { MAP, UNMAP, PROTECT } kind;
	u64 offset; /* MAP: hpa - gpa */
	u64 bits;   /* MAP: permissions and memory type; PROTECT: permissions */
};

static int change_table(struct ept *ept, u64 *table, int level, gpa_t gpa, gpa_t end,
			const struct change *c);

static u64 entry_size(int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* The level whose entries cover 2^@shift bytes. */
static int level_of(unsigned shift)
{
	return (int)((shift - PAGE_SHIFT) / 9 + 1);
}

/* For us. For the CPU, a held entry without permissions is not present. */
static bool is_present(u64 entry)
{
	return entry & (EPT_RWX | EPT_HELD);
}

static bool is_leaf(u64 entry, int level)
{
	return is_present(entry) && (level <= 1 || (entry & EPT_LEAF));
}

static bool is_table(u64 entry, int level)
{
	return is_present(entry) && !is_leaf(entry, level);
}

static bool leaf_allowed(const struct ept *ept, int level)
{
	return level == 1 || (level == 2 && ept->caps.page_2m) || (level == 3 && ept->caps.page_1g);
}

static u64 *table_of(const struct ept *ept, u64 entry)
{
	return (u64 *)((entry & EPT_ADDR_MASK) + ept->ops.va_offset);
}

static hpa_t table_pa(const struct ept *ept, const u64 *table)
{
	return (uintptr_t)table - ept->ops.va_offset;
}

static u64 read_entry(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void write_entry(u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* The entry at which a walk for @gpa ends: a leaf or a hole. It covers 2^*@shift bytes. */
static u64 *last_entry(const struct ept *ept, gpa_t gpa, unsigned *shift)
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

/*
 * Allocate a table that maps the same as the leaf @entry of @level, in smaller pages; an empty
 * table if @entry is not present. Returns NULL without memory. A CPU may set accessed and dirty
 * flags in
 * @entry while we copy it; they would be lost, so we set both in every new entry.
 */
static u64 *split(struct ept *ept, u64 entry, int level)
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

/* What the change @c makes of @old, a leaf or empty, for @gpa at @level. */
static u64 new_leaf(const struct change *c, u64 old, int level, gpa_t gpa)
{
	if (c->kind == PROTECT)
		return (old & ~EPT_RWX) | c->bits;
	return (gpa + c->offset) | c->bits | (level > 1 ? EPT_LEAF : 0);
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
	    ((new_leaf(c, old, level, start) ^ old) & ~AD_FLAGS) == 0)
		return true;
	if (end - gpa != size)
		return false;
	switch (c->kind) {
	case UNMAP:
		*new = 0;
		return true;
	case PROTECT:
		*new = new_leaf(c, old, level, gpa);
		return is_leaf(old, level);
	default:
		*new = new_leaf(c, old, level, gpa);
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
		ret = change_table(ept, table_of(ept, old), level - 1, gpa, end, c);
		collapse(ept, entry, level);
		return ret;
	}
	table = split(ept, old, level);
	if (!table)
		return -ENOMEM;
	ret = change_table(ept, table, level - 1, gpa, end, c);
	if (ret) {
		drop_table(ept, table, level - 1, false);
		return ret;
	}
	write_entry(entry, table_pa(ept, table) | EPT_RWX);
	return 0;
}

static int change_table(struct ept *ept, u64 *table, int level, gpa_t gpa, gpa_t end,
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

static int change(struct ept *ept, gpa_t gpa, u64 size, const struct change *c)
{
	int ret;

	if (!size || !IS_ALIGNED(gpa | size, PAGE_SIZE))
		return -EINVAL;
	if (gpa > EPT_GPA_END || size > EPT_GPA_END - gpa)
		return -ERANGE;
	spin_lock(&ept->lock);
	ept->changes++;
	ret = change_table(ept, ept->root, ROOT_LEVEL, gpa, gpa + size, c);
	spin_unlock(&ept->lock);
	return ret;
}

/* Refuse permissions that would be a misconfiguration. SDM: "EPT Misconfigurations". */
static int check_prot(const struct ept *ept, unsigned prot)
{
	if (!prot || (prot & ~EPT_RWX))
		return -EINVAL;
	if (!(prot & EPT_R)) {
		if (prot & EPT_W)
			return -EINVAL;
		return ept->caps.exec_only ? 0 : -EOPNOTSUPP;
	}
	return 0;
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
	int ret = check_prot(ept, prot);

	return ret ? ret : map(ept, gpa, hpa, size, prot, memtype, 0);
}

int ept_hold(struct ept *ept, gpa_t gpa, hpa_t hpa, unsigned prot, unsigned memtype)
{
	u64 held = EPT_HELD | (prot & EPT_SUBPAGE ? EPT_SPP : 0);
	unsigned plain = prot & ~(unsigned)EPT_SUBPAGE;
	int ret = prot ? check_prot(ept, plain) : 0;

	if (!ret && prot & EPT_SUBPAGE && (!(plain & EPT_R) || plain & EPT_W))
		ret = -EINVAL;
	if (!ret && prot & EPT_SUBPAGE && !ept->caps.subpage)
		ret = -EOPNOTSUPP;
	return ret ? ret : map(ept, gpa, hpa, PAGE_SIZE, plain, memtype, held);
}

/*
 * True if the table of @entry still has a hole after @entry is mapped, so that collapse() would not
 * find it full. Looks at the ends only: a table that may be full is left to change_table().
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
	u64 *entry = last_entry(ept, gpa, &shift), size;

	if (is_present(*entry))
		return -EEXIST;
	size = MIN(BIT(shift), block);
	gpa = ALIGN_DOWN(gpa, size);
	if (size == BIT(shift) && shift > PAGE_SHIFT && leaf_allowed(ept, level_of(shift)) &&
	    table_stays_partial(entry)) {
		write_entry(entry, gpa | bits | EPT_LEAF);
		return 0;
	}
	return change_table(ept, ept->root, ROOT_LEVEL, gpa, gpa + size, &c);
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
	int ret = check_prot(ept, prot);

	return ret ? ret : change(ept, gpa, size, &c);
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
	u64 entry = gpa < EPT_GPA_END ? read_entry(last_entry(ept, gpa, &shift)) : 0;

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
