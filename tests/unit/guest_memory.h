/* SPDX-License-Identifier: MIT */
/*
 * The guest memory of the tests of the kernel loaders.
 */
#ifndef GH_TESTS_GUEST_MEMORY_H
#define GH_TESTS_GUEST_MEMORY_H

#include "tests/unit/stubs.h"
#include "lib/memmap.h"
#include "vmm/memslot.h"

#define MEMORY MIB(4)

/* Guest memory, and a copy from before the load, for comparison. */
static u8 memory[MEMORY] __aligned(4096), before[MEMORY];

/* Replaces that of vmm/memslot.c: @len bytes of guest memory at @gpa, or NULL if they exceed it. */
void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len)
{
	(void)vm;
	return gpa <= MEMORY && len <= MEMORY - gpa ? memory + gpa : NULL;
}

/* Write or read a field of @bytes bytes at the offset @at. */
static inline void put(u8 *p, u64 at, u64 value, unsigned bytes)
{
	memcpy(p + at, &value, bytes);
}

static inline u64 get(const u8 *p, u64 at, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, p + at, bytes);
	return value;
}

/* Find a random range in @map's RAM that overlaps none of the *@nr ranges at @placed, and append it
 * to them. Returns false if none was found. */
static inline bool place(const struct memmap *map, struct mem_range *placed, unsigned *nr, u64 size,
			 u64 align, u64 *seed)
{
	for (int tries = 0; tries < 30; tries++) {
		u64 min = ALIGN_DOWN(rand_below(seed, MEMORY), align);
		struct memmap_query q = {.size = size,
					 .align = align,
					 .min = min,
					 .max = min + size,
					 .avoid = placed,
					 .nr_avoid = *nr};

		if (memmap_find(map, &q) == min) {
			placed[(*nr)++] = (struct mem_range){.base = min, .size = size};
			return true;
		}
	}
	return false;
}

#endif
