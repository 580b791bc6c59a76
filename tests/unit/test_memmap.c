/* SPDX-License-Identifier: MIT */
/*
 * Memory maps compared with a simple oracle: one byte, the type, for each unit of a small address
 * space.
 */
#include "tests/unit/stubs.h"

#include "errno.h"
#include "lib/memmap.h"

#define SPACE 200 /* units; the space starts at origin, to test high addresses, too */

static u64 unit, origin;
static u8 oracle[SPACE];

static unsigned rank(u32 type)
{
	static const unsigned ranks[] = {0, 1, 5, 3, 4, 6, [7] = 2};

	return ranks[type];
}

static void oracle_add(const struct mem_range *r)
{
	u64 from = (r->base - origin) / unit, to = from + r->size / unit;

	for (u64 i = from; i < to; i++) {
		if (rank(r->type) > rank(oracle[i]))
			oracle[i] = (u8)r->type;
	}
}

/* @map equals the oracle, in the smallest number of ranges. */
static void check(const struct memmap *map)
{
	unsigned n = 0;

	for (u64 i = 0; i < SPACE;) {
		u64 end = i;

		while (end < SPACE && oracle[end] == oracle[i])
			end++;
		if (oracle[i]) {
			assert_true(n < map->nr);
			assert_int_equal(map->r[n].type, oracle[i]);
			assert_int_equal(map->r[n].base, origin + i * unit);
			assert_int_equal(map->r[n].size, (end - i) * unit);
			n++;
		}
		i = end;
	}
	assert_int_equal(map->nr, n);
}

static struct mem_range random_range(u64 *seed)
{
	u64 from = rand_below(seed, SPACE), n = rand_below(seed, MIN(SPACE - from, 60) + 1);

	static const u32 types[] = {MEM_RAM, MEM_RESERVED, MEM_ACPI, MEM_NVS, MEM_BAD, MEM_PMEM};

	return (struct mem_range){origin + from * unit, n * unit,
				  types[rand_below(seed, ARRAY_SIZE(types))]};
}

static void random_space(u64 *seed)
{
	unit = (u64[]){1, 0x1000, 0x12345}[rand_below(seed, 3)];
	origin = (u64[]){0, 0xfffe0000, MEM_LIMIT - SPACE * unit}[rand_below(seed, 3)];
	memset(oracle, 0, sizeof(oracle));
}

static void random_map(struct memmap *map, u64 *seed)
{
	struct mem_range r[24];
	unsigned nr = (unsigned)rand_below(seed, ARRAY_SIZE(r) + 1);

	random_space(seed);
	for (unsigned i = 0; i < nr; i++) {
		r[i] = random_range(seed);
		oracle_add(&r[i]);
	}
	assert_int_equal(memmap_init(map, r, nr), 0);
}

static void test_init_and_reserve(void **state)
{
	struct memmap map;
	u64 seed = 4;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		random_map(&map, &seed);
		check(&map);
		for (u64 k = rand_below(&seed, 5); k; k--) {
			struct mem_range r = random_range(&seed);

			memset(oracle + (r.base - origin) / unit, MEM_RESERVED, r.size / unit);
			assert_int_equal(memmap_reserve(&map, r.base, r.size), 0);
			check(&map);
		}
	}
}

static bool free_at(u64 at, const struct memmap_query *q)
{
	if (at % q->align || at < q->min || at + q->size > q->max)
		return false;
	for (u64 a = at; a < at + q->size; a += unit) {
		u64 i = (a - origin) / unit;

		if (i >= SPACE || oracle[i] != MEM_RAM)
			return false;
		for (unsigned k = 0; k < q->nr_avoid; k++) {
			if (a >= q->avoid[k].base && a < q->avoid[k].base + q->avoid[k].size)
				return false;
		}
	}
	return true;
}

static u64 oracle_find(const struct memmap_query *q)
{
	u64 best = MEMMAP_NONE;

	for (u64 i = 0; i < SPACE; i++) {
		u64 at = origin + i * unit;

		if (free_at(at, q) && (best == MEMMAP_NONE || q->top_down))
			best = at;
	}
	return best;
}

static void test_find(void **state)
{
	struct mem_range avoid[5];
	struct memmap map;
	unsigned found = 0;
	u64 seed = 5, top;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		struct memmap_query q = {.avoid = avoid};

		do
			random_map(&map, &seed);
		while (unit == 0x12345); /* here, addresses must be multiples of the unit */
		for (; q.nr_avoid < rand_below(&seed, 6); q.nr_avoid++)
			avoid[q.nr_avoid] = random_range(&seed);
		q.size = (1 + rand_below(&seed, 20)) * unit;
		q.align = unit << rand_below(&seed, 5);
		q.min = origin + rand_below(&seed, SPACE / 2) * unit;
		q.max = q.min + rand_below(&seed, SPACE) * unit;
		q.top_down = rand_below(&seed, 2);
		if (!q.max)
			continue;
		top = oracle_find(&q);
		assert_int_equal(memmap_find(&map, &q), top);
		found += top != MEMMAP_NONE;
	}
	assert_in_range(found, 3000, 27000); /* both outcomes did occur */
}

/* Persistent memory keeps its type, and unknown types are not RAM; neither is handed out. */
static void test_types(void **state)
{
	const struct mem_range r[] = {{0, 0x9000, MEM_RAM}, {GIB(4), GIB(1), MEM_PMEM},
				      {GIB(5), GIB(1), 12}, {GIB(6), GIB(1), 0},
				      {GIB(7), GIB(1), 6},  {GIB(9), GIB(1), UINT32_MAX}};
	struct memmap map;

	(void)state;
	assert_int_equal(memmap_init(&map, r, ARRAY_SIZE(r)), 0);
	assert_int_equal(map.nr, 4);
	assert_int_equal(map.r[1].type, 7);
	assert_int_equal(map.r[1].size, GIB(1));
	assert_int_equal(map.r[2].type, MEM_RESERVED);
	assert_int_equal(map.r[2].size, GIB(3));
	assert_int_equal(map.r[3].type, MEM_RESERVED);
	assert_true(mem_holds_bytes(MEM_PMEM));
	assert_string_equal(mem_type_name(MEM_PMEM), "persistent memory");
	assert_int_equal(memmap_ram_top(&map), 0x9000);
	assert_int_equal(memmap_top(&map), GIB(5));
	assert_int_equal(memmap_find(&map, &(struct memmap_query){.size = 0x9001}), MEMMAP_NONE);
	assert_int_equal(memmap_init(&map, &r[2], 1), 0);
	assert_int_equal(memmap_top(&map), 0);
}

static void test_find_limits(void **state)
{
	const struct mem_range ram = {0x1000, 0xff000, MEM_RAM};
	const struct mem_range wild[] = {{0x2000, UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX, 0}};
	struct memmap map;

	(void)state;
	assert_int_equal(memmap_init(&map, &ram, 1), 0);
	assert_int_equal(memmap_find(&map, &(struct memmap_query){.size = 0}), MEMMAP_NONE);
	assert_int_equal(memmap_find(&map, &(struct memmap_query){.size = 0xff000}), 0x1000);
	assert_int_equal(memmap_find(&map, &(struct memmap_query){.size = 0xff001}), MEMMAP_NONE);
	for (int down = 0; down < 2; down++) {
		struct memmap_query q = {.size = 0x1000, .top_down = down};

		q.avoid = wild;
		q.nr_avoid = 2;
		assert_int_equal(memmap_find(&map, &q), 0x1000);
		q.size = 0x1001;
		assert_int_equal(memmap_find(&map, &q), MEMMAP_NONE);
		q.size = UINT64_MAX;
		assert_int_equal(memmap_find(&map, &q), MEMMAP_NONE);
		q = (struct memmap_query){.size = 1, .align = 1ull << 63, .top_down = down};
		assert_int_equal(memmap_find(&map, &q), MEMMAP_NONE);
	}
	assert_int_equal(memmap_ram_top(&map), 0x100000);
	assert_int_equal(memmap_reserve(&map, 0xf0000, UINT64_MAX), 0);
	assert_int_equal(memmap_ram_top(&map), 0xf0000);
	assert_int_equal(memmap_reserve(&map, 0, UINT64_MAX), 0);
	assert_int_equal(memmap_ram_top(&map), 0);
	assert_int_equal(map.nr, 1);
	assert_int_equal(map.r[0].size, MEM_LIMIT);
}

static void test_full(void **state)
{
	static struct mem_range r[MEMMAP_RANGES + 1];
	struct memmap map, before;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		r[i] = (struct mem_range){i * 0x2000ull, 0x1000, MEM_RAM};
	assert_int_equal(memmap_init(&map, r, MEMMAP_RANGES - 1), 0);
	before = map;
	log_clear();
	assert_int_equal(memmap_reserve(&map, 0x400, 0x10), -ENOSPC);
	assert_true(log_has("no room to mark 0x400-0x40f as reserved"));
	assert_memory_equal(&map, &before, sizeof(map));
	assert_int_equal(memmap_init(&map, r, ARRAY_SIZE(r)), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_and_reserve),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_find_limits),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
