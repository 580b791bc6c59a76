/* SPDX-License-Identifier: MIT */
/*
 * The guest memory of the fuzzers of the kernel loaders.
 */
#ifndef GH_FUZZ_GUEST_MEMORY_H
#define GH_FUZZ_GUEST_MEMORY_H

#include "tests/fuzz/fuzz.h"

#include "lib/memmap.h"
#include "vmm/memslot.h"

#define MEMORY MIB(4)
#define KERNEL MIB(1) /* where the kernel's file lies */

/* Not cleared between inputs, for speed: a loader must not depend on its content. */
static u8 memory[MEMORY] __aligned(4096);

/* In the place of vmm/memslot.c. */
void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len)
{
	(void)vm;
	return len <= MEMORY && gpa <= MEMORY - len ? memory + gpa : NULL;
}

/* Make a memory map: RAM with three holes, as the random @holes say. Returns 0 or an error, as
 * memmap_init() does. */
static inline int random_map(struct memmap *map, const u32 holes[3])
{
	struct mem_range ranges[4] = {{0, MEMORY, MEM_RAM}};

	for (unsigned i = 0; i < 3; i++)
		ranges[i + 1] =
			(struct mem_range){(u64)(holes[i] & 0x3ff) << 12,
					   (u64)(holes[i] >> 10 & 0xff) << 12, MEM_RESERVED};
	return memmap_init(map, ranges, 4);
}

#endif
