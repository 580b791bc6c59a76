/* SPDX-License-Identifier: MIT */
/*
 * Concatenation keeps the order for any source and destination.
 */
#include "tests/unit/stubs.h"
#include <time.h>

#include "vmm/load/gather.h"

#define MEMORY 4096
#define FILES  6

static u8 memory[MEMORY], before[MEMORY];

static void fill(u64 *seed)
{
	for (unsigned i = 0; i < MEMORY; i++)
		memory[i] = (u8)rand_next(seed);
	memcpy(before, memory, MEMORY);
}

/* Cut [0, MEMORY) at random places; @files gets some of the parts, in a random order. */
static unsigned random_files(struct gather_piece *files, u64 *seed)
{
	unsigned nr = 0;

	for (u64 at = rand_below(seed, 100); nr < FILES; nr++) {
		u64 size = 1 + rand_below(seed, rand_below(seed, 2) ? 20 : 500);

		at = ALIGN_UP(at, GATHER_ALIGN);
		if (at + size > MEMORY - 8)
			break;
		files[nr] = (struct gather_piece){.from = memory + at, .size = size};
		at += size + (rand_below(seed, 2) ? rand_below(seed, 300) : 0);
	}
	for (unsigned i = 0; rand_below(seed, 4) && i < nr; i++) {
		unsigned k = (unsigned)rand_below(seed, nr);
		struct gather_piece other = files[i];

		files[i] = files[k];
		files[k] = other;
	}
	return nr;
}

static void check(const struct gather_piece *old, unsigned nr, u64 to, u64 size)
{
	u64 at = 0;

	for (unsigned i = 0; i < nr; i++) {
		for (; at % GATHER_ALIGN; at++)
			assert_int_equal(memory[to + at], 0);
		assert_memory_equal(memory + to + at, before + (old[i].from - memory), old[i].size);
		at += old[i].size;
	}
	assert_int_equal(at, size);
	assert_memory_equal(memory, before, to);
	at = to + ALIGN_UP(size, GATHER_ALIGN);
	assert_memory_equal(memory + at, before + at, MEMORY - at);
}

static void test_random(void **state)
{
	unsigned sorted = 0, rotated = 0;
	u64 seed = 5;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct gather_piece files[FILES], old[FILES];
		unsigned nr;
		u64 size = 0, to;
		bool overlaps = false, in_order = true;

		fill(&seed);
		nr = random_files(files, &seed);
		for (unsigned k = 0; k < nr; k++)
			size = gather_size(size, files[k].size);
		to = ALIGN_DOWN(rand_below(&seed, MEMORY - 4 - size), GATHER_ALIGN);
		memcpy(old, files, sizeof(old));
		for (unsigned k = 0; k < nr; k++) {
			overlaps |= ranges_overlap((u64)memory + to, size, (u64)old[k].from,
						   old[k].size);
			in_order &= !k || old[k - 1].from < old[k].from;
		}
		gather(memory + to, files, nr);
		if (overlaps)
			*(in_order ? &sorted : &rotated) += 1;
		check(old, nr, to, size);
	}
	assert_true(sorted > 1000 && rotated > 1000);
}

/* CPU time to gather @nr files of @size bytes together, which lie in the opposite order. */
static clock_t reversed_time(unsigned nr, u64 size)
{
	static struct gather_piece files[128];
	u8 *start = calloc(1, size);
	clock_t time;

	assert_non_null(start);
	for (unsigned i = 0; i < nr; i++) {
		files[i] = (struct gather_piece){.from = start + size / nr * (nr - 1 - i),
						 .size = size / nr};
		files[i].from[0] = (u8)i;
	}
	time = clock();
	gather(start, files, nr);
	time = clock() - time;
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(start[size / nr * i], i);
	free(start);
	return time;
}

/* Bytes move by the logarithm of the number of files: 7 times, instead of 64 times. */
static void test_many(void **state)
{
	(void)state;
	assert_true(reversed_time(128, MIB(16)) < 25 * reversed_time(2, MIB(16)));
}

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(gather_size(0, 5), 5);
	assert_int_equal(gather_size(5, 3), 11);
	assert_int_equal(gather_size(8, 1), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
