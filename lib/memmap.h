/* SPDX-License-Identifier: MIT */
/*
 * A map of physical memory: sorted, without overlaps, neighbours of one type merged. The guest's
 * E820 map is one; so is what we place things by.
 */
#ifndef GH_MEMMAP_H
#define GH_MEMMAP_H

#include "bits.h"
#include "mem_range.h"

#define MEMMAP_RANGES 256

struct memmap {
	struct mem_range r[MEMMAP_RANGES];
	unsigned nr;
};

/*
 * Make @map from @nr ranges at @r in any order, which may overlap: where they do, the more
 * restrictive type wins (bad, reserved, NVS, ACPI, RAM). Empty ranges and whatever lies above
 * MEM_LIMIT are ignored. Returns 0, or -ENOSPC when the result has too many ranges, which is said.
 */
int memmap_init(struct memmap *map, const struct mem_range *r, unsigned nr);

/*
 * Make the @size bytes at @base reserved, whatever they were, and change nothing else. Returns 0,
 * or -ENOSPC (said by pr_err; @map is as it was) when fewer than two entries are left.
 */
int memmap_reserve(struct memmap *map, u64 base, u64 size);

struct memmap_query {
	u64 size;                      /* bytes, not 0 */
	u64 align;                     /* a power of two; 0 is 1 */
	u64 min, max;                  /* the place lies within [min, max); max 0: no limit */
	const struct mem_range *avoid; /* RAM that is not free (types do not matter) */
	unsigned nr_avoid;
	bool top_down; /* the highest place, not the lowest */
};

#define MEMMAP_NONE (~0ull)

/* The lowest (or highest) place in RAM that satisfies @q, or MEMMAP_NONE. */
u64 memmap_find(const struct memmap *map, const struct memmap_query *q);

/* The end of the highest RAM; 0 if there is none. */
u64 memmap_ram_top(const struct memmap *map);

#endif
