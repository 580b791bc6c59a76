/* SPDX-License-Identifier: MIT */
/*
 * A guest's memory, for the tests of what loads kernels into it.
 */
#ifndef GH_TESTS_GUEST_MEMORY_H
#define GH_TESTS_GUEST_MEMORY_H

#include "tests/unit/stubs.h"
#include "lib/memmap.h"
#include "vmm/memslot.h"

#define MEMORY MIB(4)

/* Guest memory; before: as it was, for comparison. */
static u8 memory[MEMORY] __aligned(4096), before[MEMORY];

/* In the place of vmm/memslot.c. */
void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len)
{
	(void)vm;
	return gpa <= MEMORY && len <= MEMORY - gpa ? memory + gpa : NULL;
}

/* Write, read a field of @bytes bytes at the offset @at. */
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

/* A random range of @map's RAM that is clear of the *@nr at @placed, to which it is added; or
 * false. */
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
