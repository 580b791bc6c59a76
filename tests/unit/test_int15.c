/* SPDX-License-Identifier: MIT */
/*
 * The answers of INT 15h for several memory maps.
 */
#include "tests/unit/stubs.h"

#include "vmm/vm0/int15.h"

#define OLD 0xf000e987u

struct entry {
	u64 base, size;
	u32 type;
} __packed;

static struct memmap map;

/* Build the segment from @nr ranges. Returns a copy of exactly the size that int15_size() returned.
 */
static struct int15_data *build(const struct mem_range *r, unsigned nr)
{
	void *segment;
	u16 entry;

	assert_int_equal(memmap_init(&map, r, nr), 0);
	segment = calloc(1, int15_size(map.nr));
	entry = int15_build(segment, &map, OLD);
	assert_in_range(entry, sizeof(struct int15_data), int15_size(0) - 1);
	return segment;
}

static void test_entries(void **state)
{
	static const struct mem_range r[] = {
		{0, 0x9e000, MEM_RAM},       {0x9e000, 0x2000, MEM_RESERVED},
		{MIB(1), MIB(511), MEM_RAM}, {MIB(512), MIB(1), MEM_ACPI},
		{GIB(4), GIB(60), MEM_RAM},  {GIB(64), GIB(64), MEM_PMEM},
	};
	struct int15_data *d = build(r, ARRAY_SIZE(r));
	const struct entry *e = (const void *)((char *)d + d->entries);

	(void)state;
	assert_int_equal(d->count, ARRAY_SIZE(r));
	for (unsigned i = 0; i < d->count; i++) {
		assert_int_equal(e[i].base, r[i].base);
		assert_int_equal(e[i].size, r[i].size);
		assert_int_equal(e[i].type, r[i].type);
	}
	assert_int_equal((u32)d->old_segment << 16 | d->old_offset, OLD);
	free(d);
}

static void check_sizes(const struct mem_range *r, unsigned nr, u16 above, u16 low, u16 blocks)
{
	struct int15_data *d = build(r, nr);

	assert_int_equal(d->kib_above, above);
	assert_int_equal(d->kib_low, low);
	assert_int_equal(d->blocks, blocks);
	free(d);
}

static void test_sizes(void **state)
{
	const struct mem_range small = {MIB(1), MIB(3), MEM_RAM};
	const struct mem_range medium = {MIB(1), MIB(31), MEM_RAM};
	const struct mem_range large = {0, GIB(8), MEM_RAM};
	const struct mem_range hole[] = {
		{0, MIB(256), MEM_RAM},
		{MIB(15), MIB(1), MEM_RESERVED},
	};
	const struct mem_range high_hole[] = {
		{0, MIB(512), MEM_RAM},
		{MIB(500), MIB(4), MEM_RESERVED},
	};
	const struct mem_range none = {0, 0xa0000, MEM_RAM};

	(void)state;
	check_sizes(&small, 1, 3 * 1024, 3 * 1024, 0);
	check_sizes(&medium, 1, 31 * 1024, 15 * 1024, 16 * 16);
	check_sizes(&large, 1, 0xffff, 15 * 1024, (u16)((GIB(4) - MIB(16)) >> 16));
	/* With a hole below 16 MiB, the old calls cannot report the memory above it. */
	check_sizes(hole, 2, 14 * 1024, 14 * 1024, 0);
	check_sizes(high_hole, 2, 0xffff, 15 * 1024, 484 * 16);
	check_sizes(&none, 1, 0, 0, 0);
}

/* The largest map still fits into a segment and into the size that was computed for it. */
static void test_largest(void **state)
{
	static struct mem_range r[MEMMAP_RANGES];
	struct int15_data *d;

	(void)state;
	for (unsigned i = 0; i < MEMMAP_RANGES - 2; i++)
		r[i] = (struct mem_range){MIB(2) * i, MIB(1), MEM_RAM};
	d = build(r, MEMMAP_RANGES - 2);
	assert_int_equal(d->count, MEMMAP_RANGES - 2);
	assert_true(int15_size(MEMMAP_RANGES) < KIB(8));
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
