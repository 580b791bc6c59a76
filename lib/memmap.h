/* SPDX-License-Identifier: MIT */
/*
 * A map of physical memory: ranges in ascending order, without overlaps, adjacent ranges of one
 * type merged. It is used for the guest's E820 map, and to find free memory.
 */
#ifndef GH_MEMMAP_H
#define GH_MEMMAP_H

#include "bits.h"
#include "mem_range.h"

#define MEMMAP_RANGES 256 /* the maximum number of ranges */

struct memmap {
	struct mem_range r[MEMMAP_RANGES];
	unsigned nr;
};

/*
 * Build @map from the @nr ranges at @r. They may have any order and may overlap: then the more
 * restrictive type wins (in this order: bad, reserved, NVS, ACPI, persistent, RAM). Unknown types
 * count as reserved. Empty ranges and addresses above MEM_LIMIT are ignored. Returns 0, or, after
 * an error message, -ENOSPC if there are too many ranges.
 */
int memmap_init(struct memmap *map, const struct mem_range *r, unsigned nr);

/*
 * Set the type of the @size bytes at @base to reserved. Returns 0, or, after an error message and
 * without a change, -ENOSPC if fewer than two entries of @map are left.
 */
int memmap_reserve(struct memmap *map, u64 base, u64 size);

/* What memmap_find() searches. */
struct memmap_query {
	u64 size;                      /* bytes, not 0 */
	u64 align;                     /* alignment in bytes, a power of two; 0 means 1 */
	u64 min, max;                  /* all bytes must be within [min, max); max 0: no limit */
	const struct mem_range *avoid; /* ranges that are not free; their types are ignored */
	unsigned nr_avoid;
	bool top_down; /* find the highest address instead of the lowest */
};

#define MEMMAP_NONE (~0ull)

/* Find free RAM for @q in @map. Returns its address, or MEMMAP_NONE. */
u64 memmap_find(const struct memmap *map, const struct memmap_query *q);

/* The end address of the highest RAM in @map; 0 if there is none. */
u64 memmap_ram_top(const struct memmap *map);

/* The end address of the highest memory of any kind, see mem_holds_bytes(); 0 if there is none. */
u64 memmap_top(const struct memmap *map);

#endif
