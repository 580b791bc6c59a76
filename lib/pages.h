/* SPDX-License-Identifier: MIT */
/*
 * Our own memory, in pages: one range, set up once. Single pages can be given back.
 */
#ifndef GH_PAGES_H
#define GH_PAGES_H

#include "types.h"

/* @base: page aligned linear address of @nr pages that are ours from now on; their content does not
 * matter. */
void pages_init(void *base, size_t nr);

/* A zeroed page, or NULL when none is left. Any CPU. */
void *page_alloc(void);

/* @nr zeroed pages in one piece, or NULL. They cannot be given back. */
void *pages_alloc(size_t nr);

/* Give back what page_alloc() returned. */
void page_free(void *page);

/* Pages that are left. */
size_t pages_left(void);

#endif
