/* SPDX-License-Identifier: MIT */
/*
 * The parts of lab 5's check. Each returns NULL, or why the function is wrong; it has then printed
 * a line that begins with #.
 */
#ifndef GH_LABS_05_PARTS_H
#define GH_LABS_05_PARTS_H

#include "ept/tables.h"

/* One function by itself, with random values: ept_last_entry(), ept_new_leaf(), ept_split(),
 * ept_prot_below(). (functions.c) */
const char *check_walk(void);
const char *check_leaf(void);
const char *check_split(void);
const char *check_prot(void);

/* ept_map(), ept_unmap(), ept_protect() and ept_hold(), at random, beside a plain list of pages.
 * (oracle.c) */
const char *check_changes(void);

/* Memory for tables. (pool.c) */

/* What the pool tells, and is told. */
struct pool {
	unsigned used;         /* tables that are allocated */
	unsigned fail_after;   /* allocations until alloc_page() returns NULL */
	const char *why;       /* free_page() has been called for a table that may be in use */
	void (*watcher)(void); /* called by alloc_page(), or NULL */
};
extern struct pool pool;

/* Free all tables, set @pool to its beginning, and initialise @ept, whose tables come from it. What
 * stands in an entry is not the address of a table. */
void pool_begin(struct ept *ept, const struct ept_caps *caps);

/* From here on, tables that are in use must be retired, not freed. pool_let_free(): no CPU uses
 * one. */
void pool_keep(void);
void pool_let_free(void);

#endif
