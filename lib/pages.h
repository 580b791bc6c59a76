/* SPDX-License-Identifier: MIT */
/*
 * The allocator of Glasshouse's own memory: pages of one range. Only single pages can be freed.
 */
#ifndef GH_PAGES_H
#define GH_PAGES_H

#include "types.h"

/*
 * Give the allocator its memory: @nr pages at @base, a page-aligned linear address. What they hold
 * does not matter. Call it once, before the other functions and before other CPUs run.
 */
void pages_init(void *base, size_t nr);

/* Allocate a page and zero it. Returns NULL when none is left. Any CPU may call it. */
void *page_alloc(void);

/*
 * Allocate @nr contiguous pages and zero them. Returns NULL if @nr is 0 or there are not enough.
 * They cannot be freed. Any CPU may call it.
 */
void *pages_alloc(size_t nr);

/* Free @page, which page_alloc() returned, or NULL. Any CPU may call it. */
void page_free(void *page);

/* Returns the base that pages_init() got, and the size in bytes in *@size. */
const void *pages_range(size_t *size);

/* The number of free pages. Takes no lock: a snapshot. */
size_t pages_left(void);

#endif
