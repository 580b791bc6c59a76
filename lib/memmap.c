/* SPDX-License-Identifier: MIT */
/*
 * Maps of physical memory: build, change, search.
 */
#include "lib/memmap.h"

#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"

static u64 range_end(const struct mem_range *r)
{
	return r->base + r->size;
}

/* Insert a range before index @i. */
static void insert(struct memmap *map, unsigned i, u64 base, u64 end, u32 type)
{
	memmove(&map->r[i + 1], &map->r[i], (map->nr - i) * sizeof(map->r[0]));
	map->r[i] = (struct mem_range){.base = base, .size = end - base, .type = type};
	map->nr++;
}

static void remove_ranges(struct memmap *map, unsigned i, unsigned n)
{
	memmove(&map->r[i], &map->r[i + n], (map->nr - i - n) * sizeof(map->r[0]));
	map->nr -= n;
}

/* Split the range that contains @at there. Returns the index of the first range at or above @at. */
static unsigned split(struct memmap *map, u64 at)
{
	unsigned i = 0;
	struct mem_range *r;

	while (i < map->nr && range_end(&map->r[i]) <= at)
		i++;
	if (i == map->nr || map->r[i].base >= at)
		return i;
	r = &map->r[i];
	insert(map, i + 1, at, range_end(r), r->type);
	r->size = at - r->base;
	return i + 1;
}

/* Merge range @i and the next one if they are adjacent and have the same type. */
static void merge(struct memmap *map, unsigned i)
{
	struct mem_range *r = &map->r[i];

	if (i + 1 >= map->nr || range_end(r) != r[1].base || r->type != r[1].type)
		return;
	r->size += r[1].size;
	remove_ranges(map, i + 1, 1);
}

/* Set the type of [@base, @end) to @type. */
static int set_type(struct memmap *map, u64 base, u64 end, u32 type)
{
	unsigned first, last;

	if (base >= end)
		return 0;
	if (map->nr + 2 > MEMMAP_RANGES) {
		pr_err("memory map: no room to mark %#lx-%#lx as %s: %u of %u entries are taken; "
		       "Glasshouse must be built with a larger MEMMAP_RANGES for this machine\n",
		       base, end - 1, mem_type_name(type), map->nr, MEMMAP_RANGES);
		return -ENOSPC;
	}
	first = split(map, base);
	last = split(map, end);
	remove_ranges(map, first, last - first);
	insert(map, first, base, end, type);
	merge(map, first);
	if (first)
		merge(map, first - 1);
	return 0;
}

int memmap_init(struct memmap *map, const struct mem_range *r, unsigned nr)
{
	/* From the least to the most restrictive, which overrides those before. */
	static const u32 order[] = {MEM_RAM, MEM_PMEM, MEM_ACPI, MEM_NVS, MEM_RESERVED, MEM_BAD};
	int err;

	map->nr = 0;
	for (unsigned o = 0; o < ARRAY_SIZE(order); o++) {
		for (unsigned i = 0; i < nr; i++) {
			u64 base = MIN(r[i].base, MEM_LIMIT);

			if (mem_known_type(r[i].type) != order[o])
				continue;
			err = set_type(map, base, base + MIN(r[i].size, MEM_LIMIT - base),
				       order[o]);
			if (err)
				return err;
		}
	}
	return 0;
}

int memmap_reserve(struct memmap *map, u64 base, u64 size)
{
	base = MIN(base, MEM_LIMIT);
	return set_type(map, base, base + MIN(size, MEM_LIMIT - base), MEM_RESERVED);
}

/* The first range of q->avoid that overlaps the q->size bytes at @at, or NULL. */
static const struct mem_range *conflict(const struct memmap_query *q, u64 at)
{
	for (unsigned i = 0; i < q->nr_avoid; i++) {
		if (ranges_overlap(at, q->size, q->avoid[i].base, q->avoid[i].size))
			return &q->avoid[i];
	}
	return NULL;
}

static u64 find_up(const struct memmap_query *q, u64 align, u64 low, u64 high)
{
	const struct mem_range *c;
	u64 at = ALIGN_UP(low, align);

	while (at <= high && high - at >= q->size) {
		c = conflict(q, at);
		if (!c)
			return at;
		if (c->base >= high || c->size > high - c->base)
			break;
		at = ALIGN_UP(range_end(c), align);
	}
	return MEMMAP_NONE;
}

static u64 find_down(const struct memmap_query *q, u64 align, u64 low, u64 high)
{
	const struct mem_range *c;
	u64 at;

	while (high >= q->size) {
		at = ALIGN_DOWN(high - q->size, align);
		if (at < low)
			break;
		c = conflict(q, at);
		if (!c)
			return at;
		high = c->base;
	}
	return MEMMAP_NONE;
}

u64 memmap_find(const struct memmap *map, const struct memmap_query *q)
{
	u64 align = q->align ? q->align : 1, max = q->max ? q->max : MEM_LIMIT;

	if (!q->size)
		return MEMMAP_NONE;
	for (unsigned n = 0; n < map->nr; n++) {
		const struct mem_range *r = &map->r[q->top_down ? map->nr - 1 - n : n];
		u64 low = MAX(r->base, q->min), high = MIN(range_end(r), max), at;

		if (r->type != MEM_RAM || low >= high)
			continue;
		at = q->top_down ? find_down(q, align, low, high) : find_up(q, align, low, high);
		if (at != MEMMAP_NONE)
			return at;
	}
	return MEMMAP_NONE;
}

u64 memmap_top(const struct memmap *map)
{
	for (unsigned i = map->nr; i-- > 0;) {
		if (mem_holds_bytes(map->r[i].type))
			return range_end(&map->r[i]);
	}
	return 0;
}

u64 memmap_ram_top(const struct memmap *map)
{
	for (unsigned i = map->nr; i-- > 0;) {
		if (map->r[i].type == MEM_RAM)
			return range_end(&map->r[i]);
	}
	return 0;
}
