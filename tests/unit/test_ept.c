/* SPDX-License-Identifier: MIT */
/*
 * EPT: exact entries in hand-written cases; random changes compared with a plain array of pages;
 * random changes with an allocator that fails.
 */
#include "tests/unit/ept_pages.h"
#include "errno.h"

static hpa_t to_pa(const void *page)
{
	return (uintptr_t)page + PA_OFFSET;
}

static void *to_va(hpa_t pa)
{
	return (void *)(uintptr_t)(pa - PA_OFFSET);
}

static const struct ept_caps full = {
	.page_2m = true, .page_1g = true, .ad = true, .exec_only = true, .phys_bits = 46};
static const struct ept_caps poor = {.phys_bits = 40};
static const struct ept_caps middle = {.page_2m = true, .phys_bits = 52};
static const struct ept_caps ad_2m = {.page_2m = true, .ad = true, .phys_bits = 40};

static u64 entry_at(const struct ept *ept, gpa_t gpa)
{
	struct ept_mapping map;

	ept_walk(ept, gpa, &map);
	return map.entry;
}

static int level_at(const struct ept *ept, gpa_t gpa)
{
	struct ept_mapping map;

	ept_walk(ept, gpa, &map);
	return map.level;
}

/* The number of tables: @table, of @level, and all below it. */
static u64 count_tables(const u64 *table, int level)
{
	u64 count = 1;

	for (int i = 0; level > 1 && i < 512; i++) {
		if (table[i] & EPT_RWX && !(table[i] & EPT_LEAF))
			count += count_tables(to_va(table[i] & EPT_ADDR_MASK), level - 1);
	}
	return count;
}

static u64 tables_of(const struct ept *ept)
{
	return count_tables(ept->root, 4);
}

/* After everything is unmapped, only the root is left. Free it. */
static void end(struct ept *ept)
{
	assert_int_equal(ept_unmap(ept, 0, EPT_GPA_END), 0);
	ept_reclaim(ept);
	assert_int_equal(pages_allocated, 1);
	free_page(ept->root);
}

static void test_entries(void **state)
{
	struct ept_mapping map;
	struct ept ept;

	(void)state;
	assert_int_equal(ept_init(&ept, &ops, &full), 0);
	assert_int_equal(tables_of(&ept), 1);
	assert_int_equal(ept_pointer(&ept), to_pa(ept.root) | 0x40 | 0x18 | 6);

	assert_false(ept_walk(&ept, 0x1234, &map));
	assert_int_equal(map.level, 4);
	assert_int_equal(map.size, GIB(512));
	assert_int_equal(map.entry, 0);
	assert_false(ept_walk(&ept, EPT_GPA_END, &map));
	assert_false(ept_walk(&ept, ~0ull, &map));

	/* One page of each size; tables only down to its level. */
	assert_int_equal(ept_map(&ept, 0x1000, 0x7000, 0x1000, EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(entry_at(&ept, 0x1fff), 0x7037);
	assert_int_equal(tables_of(&ept), 4);
	assert_int_equal(ept_map(&ept, MIB(2), MIB(6), MIB(2), EPT_R, MEMTYPE_UC), 0);
	assert_int_equal(entry_at(&ept, MIB(2)), MIB(6) | 0x81);
	assert_int_equal(ept_map(&ept, GIB(1), GIB(3), GIB(1), EPT_R | EPT_W, MEMTYPE_WT), 0);
	assert_int_equal(entry_at(&ept, GIB(1)), GIB(3) | 0xa3);
	assert_int_equal(tables_of(&ept), 4);
	assert_int_equal(ept_map(&ept, 0x3000, 0x3000, 0x1000, EPT_X, MEMTYPE_WC), 0);
	assert_int_equal(entry_at(&ept, 0x3000), 0x300c);
	assert_int_equal(ept_map(&ept, 0x4000, 0x3000, 0x1000, EPT_R | EPT_X, MEMTYPE_WP), 0);
	assert_int_equal(entry_at(&ept, 0x4000), 0x302d);

	assert_true(ept_walk(&ept, GIB(1) + 0x12345, &map));
	assert_int_equal(map.hpa, GIB(3) + 0x12345);
	assert_int_equal(map.size, GIB(1));
	assert_int_equal(map.prot, EPT_R | EPT_W);
	assert_int_equal(map.memtype, MEMTYPE_WT);
	assert_int_equal(map.level, 3);
	/* The same, level by level. */
	assert_int_equal(ept_entry(&ept, 0x1fff, 4),
			 to_pa(to_va(ept.root[0] & EPT_ADDR_MASK)) | EPT_RWX);
	assert_int_equal(ept_entry(&ept, GIB(1), 4), ept_entry(&ept, 0x1fff, 4));
	assert_int_equal(ept_entry(&ept, GIB(1), 3), GIB(3) | 0xa3);
	assert_int_equal(ept_entry(&ept, GIB(1), 1), GIB(3) | 0xa3); /* there is no lower one */
	assert_int_equal(ept_entry(&ept, MIB(2), 2), MIB(6) | 0x81);
	assert_int_equal(ept_entry(&ept, 0x1fff, 1), 0x7037);
	assert_int_equal(ept_entry(&ept, 0x2000, 1), 0);
	assert_int_equal(ept_entry(&ept, GIB(512), 4), 0);
	assert_false(ept_walk(&ept, 0x2000, &map));
	assert_int_equal(map.level, 1);
	assert_int_equal(map.size, PAGE_SIZE);
	end(&ept);

	assert_int_equal(ept_init(&ept, &ops, &poor), 0);
	assert_int_equal(ept_pointer(&ept), to_pa(ept.root) | 0x18 | 6);
	assert_int_equal(ept_map(&ept, 0, 0, MIB(2), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(level_at(&ept, 0), 1);
	assert_int_equal(tables_of(&ept), 4);
	end(&ept);
}

static void test_split_and_merge(void **state)
{
	struct ept ept;
	u64 *retired;

	(void)state;
	assert_int_equal(ept_init(&ept, &ops, &full), 0);
	assert_int_equal(ept_map(&ept, 0, 0, GIB(512), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(tables_of(&ept), 2);

	/* Mapping again what is mapped already does not split a page. */
	assert_int_equal(ept_map(&ept, 0x5000, 0x5000, 0x3000, EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(ept_protect(&ept, MIB(2), MIB(4), EPT_RWX), 0);
	assert_int_equal(tables_of(&ept), 2);

	/* The local APIC's page: write-protected, then restored and merged again. */
	assert_int_equal(ept_protect(&ept, 0xfee00000, 0x1000, EPT_R), 0);
	assert_int_equal(entry_at(&ept, 0xfee00000),
			 0xfee00331); /* split() sets accessed and dirty */
	assert_int_equal(entry_at(&ept, 0xfee01000), 0xfee01337);
	assert_int_equal(entry_at(&ept, 0xfec00000), 0xfec003b7);
	assert_int_equal(tables_of(&ept), 4);
	assert_int_equal(ept_protect(&ept, 0xfee00000, 0x1000, EPT_RWX), 0);
	assert_int_equal(tables_of(&ept), 2);
	assert_int_equal(entry_at(&ept, 0xfee00000), 0xc00003b7);
	assert_int_equal(pages_allocated, 4);
	retired = ept_take_retired(&ept);
	ept_reclaim(&ept);
	assert_int_equal(pages_allocated, 4);
	assert_int_equal(ept_protect(&ept, 0xfee00000, 0x1000, EPT_R), 0);
	assert_int_equal(ept_protect(&ept, 0xfee00000, 0x1000, EPT_RWX), 0);
	ept_retire_again(&ept, retired);
	assert_int_equal(pages_allocated, 6);
	ept_reclaim(&ept);
	assert_int_equal(pages_allocated, 2);

	/* A hole, filled with other memory, stays split. Unmapping all frees the tables. */
	assert_int_equal(ept_unmap(&ept, MIB(4), 0x2000), 0);
	assert_int_equal(entry_at(&ept, MIB(4)), 0);
	assert_int_equal(ept_map(&ept, MIB(4), MIB(8), 0x2000, EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(tables_of(&ept), 4);
	assert_int_equal(ept_unmap(&ept, 0, EPT_GPA_END), 0);
	assert_int_equal(tables_of(&ept), 1);

	/* No merging of pages that are not contiguous or differ in type or permissions. */
	assert_int_equal(ept_map(&ept, 0, 0, MIB(2) - 0x1000, EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(
		ept_map(&ept, MIB(2) - 0x1000, MIB(2) - 0x1000, 0x1000, EPT_RWX, MEMTYPE_UC), 0);
	assert_int_equal(level_at(&ept, 0), 1);
	assert_int_equal(ept_map(&ept, MIB(2) - 0x1000, MIB(2) - 0x1000, 0x1000, EPT_R, MEMTYPE_WB),
			 0);
	assert_int_equal(level_at(&ept, 0), 1);
	assert_int_equal(
		ept_map(&ept, MIB(2) - 0x1000, MIB(2) - 0x1000, 0x1000, EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(level_at(&ept, 0), 2);

	/* When ept_map_hole() has filled 1 GiB, it is one page, whichever part came last. */
	for (u64 last = 0; last < 512; last += 73) {
		for (u64 i = 1; i <= 512; i++)
			assert_int_equal(ept_map_hole(&ept, GIB(5) + (last + i) % 512 * MIB(2),
						      MIB(2), MEMTYPE_UC),
					 0);
		assert_int_equal(level_at(&ept, GIB(5)), 3);
		assert_int_equal(ept_unmap(&ept, GIB(5), GIB(1)), 0);
	}
	end(&ept);
}

/* A held page splits what it is in, is no hole, and is merged again when it is mapped as before. */
static void test_hold(void **state)
{
	struct ept_mapping map;
	struct ept ept;

	(void)state;
	assert_int_equal(ept_init(&ept, &ops, &full), 0);
	assert_int_equal(ept_map(&ept, 0, 0, GIB(512), EPT_RWX, MEMTYPE_WT), 0);
	assert_int_equal(ept_hold(&ept, MIB(2), MIB(2), EPT_RWX, MEMTYPE_WT), 0);
	assert_int_equal(tables_of(&ept), 4);
	assert_int_equal(entry_at(&ept, MIB(2)), MIB(2) | 0x827);
	assert_int_equal(entry_at(&ept, MIB(2) + 0x1000), (MIB(2) + 0x1000) | 0x327);
	assert_int_equal(ept_hold(&ept, MIB(2), MIB(9), 0, MEMTYPE_UC), 0);
	assert_int_equal(entry_at(&ept, MIB(2)), MIB(9) | 0x800);
	assert_true(ept_walk(&ept, MIB(2) + 5, &map));
	assert_int_equal(map.prot, 0);
	assert_int_equal(map.hpa, MIB(9) + 5);
	assert_int_equal(ept_map_hole(&ept, MIB(2), GIB(1), MEMTYPE_UC), -EEXIST);
	assert_int_equal(ept_protect(&ept, MIB(2), 0x2000, EPT_R), 0);
	assert_int_equal(entry_at(&ept, MIB(2)), MIB(9) | 0x801);
	assert_int_equal(ept_protect(&ept, MIB(2), 0x2000, EPT_RWX), 0);
	assert_int_equal(ept_map(&ept, MIB(2), MIB(2), PAGE_SIZE, EPT_RWX, MEMTYPE_WT), 0);
	assert_int_equal(tables_of(&ept), 2);
	/* 512 held pages that together would be a large one. */
	for (gpa_t gpa = 0; gpa < MIB(2); gpa += PAGE_SIZE)
		assert_int_equal(ept_hold(&ept, gpa, gpa, EPT_RWX, MEMTYPE_WT), 0);
	assert_int_equal(level_at(&ept, 0), 1);
	assert_int_equal(ept_hold(&ept, 0, 0, EPT_W, MEMTYPE_WB), -EINVAL);
	assert_int_equal(ept_hold(&ept, 0, 0, EPT_R | EPT_SUBPAGE, MEMTYPE_WB), -EOPNOTSUPP);
	ept.caps.subpage = true;
	assert_int_equal(ept_hold(&ept, 0, 0, EPT_R | EPT_X | EPT_SUBPAGE, MEMTYPE_WB), 0);
	assert_int_equal(entry_at(&ept, 0), BIT(61) | 0x835);
	assert_int_equal(ept_hold(&ept, 0, 0, EPT_RWX | EPT_SUBPAGE, MEMTYPE_WB), -EINVAL);
	assert_int_equal(ept_hold(&ept, 0, 0, EPT_X | EPT_SUBPAGE, MEMTYPE_WB), -EINVAL);
	assert_int_equal(ept_hold(&ept, 8, 0, 0, MEMTYPE_WB), -EINVAL);
	assert_int_equal(ept_hold(&ept, 0, BIT(46), 0, MEMTYPE_WB), -ERANGE);
	end(&ept);
}

static void test_flags_survive(void **state)
{
	struct ept_mapping map;
	struct ept ept;
	u64 *pml4e, *pdpte;

	(void)state;
	assert_int_equal(ept_init(&ept, &ops, &full), 0);
	assert_int_equal(ept_map(&ept, 0, 0, GIB(1), EPT_RWX, MEMTYPE_WB), 0);
	pml4e = ept.root;
	*pml4e |= EPT_ACCESSED;
	pdpte = to_va(*pml4e & EPT_ADDR_MASK);
	*pdpte |= EPT_ACCESSED | EPT_DIRTY;
	assert_int_equal(ept_protect(&ept, 0, GIB(1), EPT_R), 0);
	assert_true(ept_walk(&ept, 0, &map));
	assert_int_equal(map.entry, 0x3b1);
	end(&ept);
}

static void test_refusals(void **state)
{
	struct ept_caps caps = full;
	struct ept ept;

	(void)state;
	caps.phys_bits = 53;
	assert_int_equal(ept_init(&ept, &ops, &caps), -EINVAL);
	caps.phys_bits = 31;
	assert_int_equal(ept_init(&ept, &ops, &caps), -EINVAL);
	fail_after = 0;
	assert_int_equal(ept_init(&ept, &ops, &full), -ENOMEM);
	fail_after = ~0ull;

	assert_int_equal(ept_init(&ept, &ops, &full), 0);
	for (unsigned type = 0; type < 20; type++) {
		bool good = type == 0 || type == 1 || (type >= 4 && type <= 6);

		assert_int_equal(ept_map(&ept, 0, 0, 0x1000, EPT_RWX, type), good ? 0 : -EINVAL);
	}
	for (unsigned prot = 0; prot < 20; prot++) {
		bool good = prot == 1 || (prot >= 3 && prot <= 5) || prot == 7;

		assert_int_equal(ept_map(&ept, 0, 0, 0x1000, prot, 6), good ? 0 : -EINVAL);
		assert_int_equal(ept_protect(&ept, 0, 0x1000, prot), good ? 0 : -EINVAL);
	}
	assert_int_equal(ept_map(&ept, 1, 0, 0x1000, EPT_R, 6), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 8, 0x1000, EPT_R, 6), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 0, 0x1800, EPT_R, 6), -EINVAL);
	assert_int_equal(ept_map(&ept, 0, 0, 0, EPT_R, 6), -EINVAL);
	assert_int_equal(ept_unmap(&ept, 0, 0), -EINVAL);
	assert_int_equal(ept_unmap(&ept, 0x10, 0x1000), -EINVAL);
	assert_int_equal(ept_unmap(&ept, EPT_GPA_END, 0x1000), -ERANGE);
	assert_int_equal(ept_unmap(&ept, 0x1000, ~0xfffull), -ERANGE);
	assert_int_equal(ept_map(&ept, EPT_GPA_END - 0x1000, 0, 0x2000, EPT_R, 6), -ERANGE);
	assert_int_equal(ept_map(&ept, ~0xfffull, 0, 0x1000, EPT_R, 6), -ERANGE);
	assert_int_equal(ept_map(&ept, 0, BIT(46), 0x1000, EPT_R, 6), -ERANGE);
	assert_int_equal(ept_map(&ept, 0, BIT(46) - 0x1000, 0x2000, EPT_R, 6), -ERANGE);
	assert_int_equal(ept_map(&ept, 0, BIT(46) - 0x1000, 0x1000, EPT_R, 6), 0);
	assert_int_equal(ept_map(&ept, EPT_GPA_END - 0x1000, 0, 0x1000, EPT_R, 6), 0);
	end(&ept);

	assert_int_equal(ept_init(&ept, &ops, &poor), 0);
	assert_int_equal(ept_map(&ept, 0, 0, 0x1000, EPT_X, 6), -EOPNOTSUPP);
	assert_int_equal(ept_protect(&ept, 0, 0x1000, EPT_X), -EOPNOTSUPP);
	assert_int_equal(ept_map(&ept, 0, 0, 0x1000, EPT_X | EPT_W, 6), -EINVAL);
	assert_int_equal(tables_of(&ept), 1);
	assert_int_equal(ept_map_hole(&ept, EPT_GPA_END, MIB(2), MEMTYPE_UC), -ERANGE);
	assert_int_equal(ept_map_hole(&ept, BIT(poor.phys_bits), MIB(2), MEMTYPE_UC), -ERANGE);
	assert_int_equal(ept_map_hole(&ept, BIT(poor.phys_bits) - 1, MIB(2), MEMTYPE_UC), 0);
	end(&ept);
}

/* The oracle: how each page of two stretches, around a 1 GiB and a 512 GiB border, is mapped. */
#define STRETCH   (GIB(1) + MIB(4))
#define PAGES     (STRETCH / PAGE_SIZE)
#define GIB_PAGES (GIB(1) / PAGE_SIZE)
static const gpa_t stretch_base[2] = {GIB(1) - MIB(2), GIB(512) - MIB(514)};
static u64 oracle[2][PAGES]; /* hpa | type << 3 | prot | EPT_HELD; 0: not mapped */

static u64 oracle_value(const struct ept_mapping *map)
{
	u64 held = map->entry & EPT_HELD;

	if (!map->prot && !held)
		return 0;
	return (map->hpa & PAGE_MASK) | map->memtype << 3 | map->prot | held;
}

static void check_page(const struct ept *ept, int s, u64 page)
{
	gpa_t gpa = stretch_base[s] + page * PAGE_SIZE;
	struct ept_mapping map;

	ept_walk(ept, gpa + 0x123, &map);
	assert_int_equal(oracle_value(&map), oracle[s][page]);
	if (map.entry & (EPT_RWX | EPT_HELD))
		assert_int_equal(map.hpa & 0xfff, 0x123);
}

static u64 oracle_at(gpa_t gpa)
{
	for (int s = 0; s < 2; s++) {
		if (gpa - stretch_base[s] < STRETCH)
			return oracle[s][(gpa - stretch_base[s]) / PAGE_SIZE];
	}
	return 0;
}

/*
 * The least number of tables below the entry of @level for @gpa. *@one becomes true if that entry
 * needs no table: it is a leaf, or empty.
 */
static u64 ideal_tables(const struct ept_caps *caps, gpa_t gpa, int level, bool *one)
{
	u64 size = PAGE_SIZE << 9 * (level - 1), part = size / 512, count = 0;
	u64 first = oracle_at(gpa);
	bool leaf = level == 1 || (level == 2 && caps->page_2m) || (level == 3 && caps->page_1g);
	bool touched = false, same = true;

	for (int s = 0; s < 2; s++)
		touched |= ranges_overlap(gpa, size, stretch_base[s], STRETCH);
	*one = true;
	if (!touched || level == 1)
		return 0;
	for (u64 i = 0; i < 512; i++) {
		u64 here = oracle_at(gpa + i * part);
		bool one_below;

		count += ideal_tables(caps, gpa + i * part, level - 1, &one_below);
		same &= one_below && here == (first ? first + i * part : 0);
	}
	if (same && !(first & EPT_HELD) &&
	    (!first || (leaf && IS_ALIGNED(first & EPT_ADDR_MASK, size))))
		return 0;
	*one = false;
	return count + 1;
}

static void check_all(const struct ept *ept)
{
	u64 tables = 1;
	bool one;

	for (int s = 0; s < 2; s++) {
		for (u64 page = 0; page < PAGES; page++)
			check_page(ept, s, page);
	}
	for (gpa_t gpa = 0; gpa < GIB(1024); gpa += GIB(512))
		tables += ideal_tables(&ept->caps, gpa, 4, &one);
	assert_int_equal(tables_of(ept), tables);
}

static void check_leaves(const struct ept *ept)
{
	struct ept_mapping map;
	u64 mapped = 0, found = 0;

	for (gpa_t gpa = 0; gpa < BIT(48); gpa = ALIGN_DOWN(gpa, map.size) + map.size) {
		if (!ept_walk(ept, gpa, &map))
			continue;
		assert_int_equal(oracle_value(&map), oracle_at(gpa));
		found += map.size;
	}
	for (int s = 0; s < 2; s++) {
		for (u64 page = 0; page < PAGES; page++)
			mapped += oracle[s][page] ? PAGE_SIZE : 0;
	}
	assert_int_equal(found, mapped);
}

/* A range of pages in a stretch, often aligned. */
static void random_range(u64 *seed, u64 *first, u64 *count)
{
	static const u64 round[] = {1, 1, 16, 512, 512, 4096, GIB_PAGES};
	u64 to = round[rand_below(seed, ARRAY_SIZE(round))], borders;

	*first = rand_below(seed, PAGES);
	*count = 1 + rand_below(seed, to * 3);
	if (rand_below(seed, 2)) {
		*first = ALIGN_DOWN(*first, to);
		*count = ALIGN_UP(*count, to);
	}
	borders = rand_below(seed, 8); /* at times the whole 1 GiB page of the stretch */
	if (borders == 0) {
		*first = 512;
		*count = GIB_PAGES;
	}
	*count = MIN(*count, PAGES - *first);
}

static int random_change(struct ept *ept, u64 *seed, int s, u64 first, u64 count, u64 *old)
{
	static const u8 prots[] = {EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX, EPT_RWX, EPT_RWX};
	static const u8 types[] = {MEMTYPE_WB, MEMTYPE_WB, MEMTYPE_WB, MEMTYPE_UC, MEMTYPE_WC};
	gpa_t gpa = stretch_base[s] + first * PAGE_SIZE;
	u64 kind = rand_below(seed, 5), prot = prots[rand_below(seed, ARRAY_SIZE(prots))];
	u64 type = types[rand_below(seed, ARRAY_SIZE(types))];
	hpa_t hpa = rand_below(seed, 4) ? gpa : rand_below(seed, BIT(18)) * PAGE_SIZE;

	memcpy(old, &oracle[s][first], count * sizeof(u64));
	for (u64 i = 0; i < count; i++) {
		u64 *page = &oracle[s][first + i];

		if (kind == 0)
			*page = 0;
		else if (kind == 1)
			*page = *page ? (*page & ~EPT_RWX) | prot : 0;
		else
			*page = (hpa + i * PAGE_SIZE) | type << 3 | prot;
	}
	if (kind == 0)
		return ept_unmap(ept, gpa, count * PAGE_SIZE);
	if (kind == 1)
		return ept_protect(ept, gpa, count * PAGE_SIZE, prot);
	return ept_map(ept, gpa, hpa, count * PAGE_SIZE, prot, type);
}

/* Hold the first page of the range, in one way or another. */
static int random_hold(struct ept *ept, u64 *seed, int s, u64 first, u64 *count, u64 *old)
{
	static const u8 prots[] = {0, 0, EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX};
	unsigned prot = prots[rand_below(seed, ARRAY_SIZE(prots))];
	gpa_t gpa = stretch_base[s] + first * PAGE_SIZE;
	hpa_t hpa = rand_below(seed, 4) ? gpa : rand_below(seed, BIT(18)) * PAGE_SIZE;

	*count = 1;
	*old = oracle[s][first];
	oracle[s][first] = hpa | MEMTYPE_WB << 3 | prot | EPT_HELD;
	return ept_hold(ept, gpa, hpa, prot, MEMTYPE_WB);
}

/* The first page of the block of @block pages (4 KiB, 2 MiB, 1 GiB) that contains @page. Only one
 * whole GiB is in a stretch. */
static u64 block_start(u64 page, u64 block)
{
	return ALIGN_DOWN(page - 512, block) + 512;
}

/* The largest block around @page, of at most @block pages, that is not mapped at all; @page alone
 * if there is none. Returns its size in pages, and its first page in *@first. */
static u64 free_block(int s, u64 page, u64 block, u64 *first)
{
	for (; block > 1; block /= 512) {
		u64 free = 0;

		*first = block_start(page, block);
		while (free < block && !oracle[s][*first + free])
			free++;
		if (free == block)
			return block;
	}
	*first = page;
	return 1;
}

/*
 * Call ept_map_hole() for a page of the range. It must map the largest unmapped block around the
 * page, or nothing if the page is mapped. Stores the range that may have changed in @first, @count.
 */
static int random_touch(struct ept *ept, u64 *seed, int s, u64 *first, u64 *count, u64 *old)
{
	static const u64 blocks[] = {1, 512, 512, GIB_PAGES};
	u64 page = *first + rand_below(seed, *count);
	u64 block = blocks[rand_below(seed, ARRAY_SIZE(blocks))];
	gpa_t gpa = stretch_base[s] + page * PAGE_SIZE;
	int ret;

	if (block == GIB_PAGES && (s != 0 || page - 512 >= GIB_PAGES))
		block = 512;
	if (block == GIB_PAGES && rand_below(seed, 2)) {
		memset(&oracle[s][512], 0, GIB_PAGES * sizeof(u64));
		assert_int_equal(ept_unmap(ept, GIB(1), GIB(1)), 0);
	}
	*count = free_block(s, page, block, first);
	memcpy(old, &oracle[s][*first], *count * sizeof(u64));
	ret = ept_map_hole(ept, gpa + 0x123, block * PAGE_SIZE, MEMTYPE_UC);
	if (oracle[s][page]) {
		assert_int_equal(ret, -EEXIST);
		return 0;
	}
	for (u64 i = *first; i < *first + *count; i++)
		oracle[s][i] = (stretch_base[s] + i * PAGE_SIZE) | MEMTYPE_UC << 3 | EPT_RWX;
	return ret;
}

/* After -ENOMEM each page has its mapping of before (@old) or the new one (the oracle). Set the
 * oracle to what it has. */
static void accept_partial_change(const struct ept *ept, int s, u64 first, u64 count,
				  const u64 *old)
{
	struct ept_mapping map;

	for (u64 i = 0; i < count; i++) {
		u64 *page = &oracle[s][first + i];

		ept_walk(ept, stretch_base[s] + (first + i) * PAGE_SIZE, &map);
		if (oracle_value(&map) != *page) {
			assert_int_equal(oracle_value(&map), old[i]);
			*page = old[i];
		}
	}
}

static void random_changes(const struct ept_caps *caps, u64 seed, int rounds, bool failing)
{
	static u64 old[PAGES];
	struct ept ept;
	int failures = 0;

	memset(oracle, 0, sizeof(oracle));
	assert_int_equal(ept_init(&ept, &ops, caps), 0);
	for (int i = 0; i < rounds; i++) {
		int s = (int)rand_below(&seed, 2), ret;
		u64 first, count;

		random_range(&seed, &first, &count);
		if (failing)
			fail_after = rand_below(&seed, 5);
		if (!rand_below(&seed, 4))
			ret = random_hold(&ept, &seed, s, first, &count, old);
		else if (rand_below(&seed, 3))
			ret = random_change(&ept, &seed, s, first, count, old);
		else
			ret = random_touch(&ept, &seed, s, &first, &count, old);
		fail_after = ~0ull;
		if (ret) {
			assert_true(failing);
			assert_int_equal(ret, -ENOMEM);
			accept_partial_change(&ept, s, first, count, old);
			failures++;
		}
		for (u64 page = first; page < first + count; page += 1 + count / 64)
			check_page(&ept, s, page);
		for (int n = 0; n < 32; n++)
			check_page(&ept, s, rand_below(&seed, PAGES));
		if (i % 7 == 0)
			ept_retire_again(&ept, ept_take_retired(&ept));
		if (i % 3 == 0) {
			ept_reclaim(&ept);
			assert_int_equal(pages_allocated, tables_of(&ept));
		}
		if (i % 64 == 63)
			check_all(&ept);
	}
	assert_true(!failing || failures > rounds / 20);
	check_all(&ept);
	check_leaves(&ept);
	end(&ept);
}

static void test_random(void **state)
{
	(void)state;
	random_changes(&full, 1, 700, false);
	random_changes(&poor, 2, 150, false);
	random_changes(&middle, 3, 300, false);
	random_changes(&ad_2m, 4, 300, false);
}

static void test_random_without_memory(void **state)
{
	(void)state;
	random_changes(&full, 5, 500, true);
	random_changes(&middle, 6, 300, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_split_and_merge),
		cmocka_unit_test(test_flags_survive),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
