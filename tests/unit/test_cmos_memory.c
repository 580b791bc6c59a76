/* SPDX-License-Identifier: MIT */
/*
 * What the guest reads as the size of memory in the CMOS RAM ends where Glasshouse's memory begins.
 */
#include "tests/unit/stubs.h"

#include "vmm/vm0/cmos_memory.h"

static u8 machine[CMOS_REGISTERS];

static void set(u8 first, unsigned bytes, u64 value)
{
	for (unsigned i = 0; i < bytes; i++)
		machine[first + i] = (u8)(value >> 8 * i);
}

/* As firmware fills them for RAM that ends at @ram_end below 4 GiB, and @high bytes above that. */
static void fill(u64 ram_end, u64 high)
{
	memset(machine, 0xa5, sizeof(machine));
	set(0x15, 2, 640);
	set(0x17, 2, MIN((ram_end - MIB(1)) / KIB(1), 0xffff));
	set(0x30, 2, MIN((ram_end - MIB(1)) / KIB(1), 0xffff));
	set(0x34, 2, ram_end > MIB(16) ? (ram_end - MIB(16)) / KIB(64) : 0);
	set(0x5b, 3, high / KIB(64));
}

static u64 get(u8 first, unsigned bytes, const struct mem_range *taken, unsigned nr)
{
	u64 value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (u64)cmos_memory_byte(machine, (u8)(first + i), taken, nr) << 8 * i;
	return value;
}

static void test_indexes(void **state)
{
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		found += cmos_is_memory((u8)i);
	assert_int_equal(found, 11);
	assert_true(cmos_is_memory(0x15) && cmos_is_memory(0x18) && cmos_is_memory(0x31));
	assert_true(cmos_is_memory(0x35) && cmos_is_memory(0x5d));
	assert_false(cmos_is_memory(0x0f) || cmos_is_memory(0x32) || cmos_is_memory(0x5e));
}

/* A machine with 256 MiB below 4 GiB and 2 GiB above; we are at the ends of both low memories. */
static void test_ends(void **state)
{
	const struct mem_range taken[] = {{MIB(254), MIB(1), MEM_RESERVED},
					  {MIB(253) + 0x1000, MIB(1), MEM_RESERVED},
					  {0x9a000, 0x5000, MEM_RESERVED},
					  {0, 0, MEM_RESERVED}};

	(void)state;
	fill(MIB(256), GIB(2));
	assert_int_equal(get(0x15, 2, taken, 4), 0x9a000 / KIB(1));
	assert_int_equal(get(0x17, 2, taken, 4), 0xffff);
	assert_int_equal(get(0x30, 2, taken, 4), 0xffff);
	assert_int_equal(get(0x34, 2, taken, 4), (MIB(253) - MIB(16)) / KIB(64));
	assert_int_equal(get(0x5b, 3, taken, 4), GIB(2) / KIB(64));
	/* With nothing taken all is as the machine has it. */
	assert_int_equal(get(0x15, 2, taken, 0), 640);
	assert_int_equal(get(0x34, 2, taken, 0), MIB(240) / KIB(64));
}

static void test_small(void **state)
{
	struct mem_range taken = {MIB(30), MIB(2), MEM_RESERVED};

	(void)state;
	fill(MIB(32), 0);
	assert_int_equal(get(0x30, 2, &taken, 1), MIB(29) / KIB(1));
	assert_int_equal(get(0x34, 2, &taken, 1), MIB(14) / KIB(64));
	/* Who reads 34h takes all below 16 MiB for RAM: then there is nothing above. */
	taken.base = MIB(12);
	assert_int_equal(get(0x17, 2, &taken, 1), MIB(11) / KIB(1));
	assert_int_equal(get(0x34, 2, &taken, 1), 0);
	taken = (struct mem_range){GIB(5) + 1, MIB(1), MEM_RESERVED};
	fill(GIB(2), GIB(8));
	assert_int_equal(get(0x34, 2, &taken, 1), (GIB(2) - MIB(16)) / KIB(64));
	assert_int_equal(get(0x5b, 3, &taken, 1), GIB(1) / KIB(64));
}

/* All bits set, a range at the edge: no more than the machine's, whatever the bytes are. */
static void test_random(void **state)
{
	u64 seed = 9;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct mem_range taken = {rand_next(&seed) >> (20 + rand_below(&seed, 40)),
					  1 + rand_below(&seed, MIB(64)), MEM_RESERVED};

		for (unsigned k = 0; k < CMOS_REGISTERS; k++)
			machine[k] = (u8)rand_next(&seed);
		assert_true(get(0x15, 2, &taken, 1) <= get(0x15, 2, NULL, 0));
		assert_true(get(0x34, 2, &taken, 1) <= get(0x34, 2, NULL, 0));
		assert_true(get(0x5b, 3, &taken, 1) <= get(0x5b, 3, NULL, 0));
		assert_true(!ranges_overlap(0, get(0x15, 2, &taken, 1) * KIB(1), taken.base,
					    taken.size));
		assert_true(!ranges_overlap(MIB(1), get(0x30, 2, &taken, 1) * KIB(1), taken.base,
					    taken.size));
		assert_true(!ranges_overlap(MIB(16), get(0x34, 2, &taken, 1) * KIB(64), taken.base,
					    taken.size));
		assert_true(!ranges_overlap(GIB(4), get(0x5b, 3, &taken, 1) * KIB(64), taken.base,
					    taken.size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indexes),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
