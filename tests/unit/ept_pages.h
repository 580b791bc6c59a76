/* SPDX-License-Identifier: MIT */
/*
 * Pages for the EPT's tables: counted, and at an address that differs from the "physical" one.
 */
#ifndef GH_TESTS_EPT_PAGES_H
#define GH_TESTS_EPT_PAGES_H

#include "tests/unit/stubs.h"
#include "ept/ept.h"

static u64 pages_allocated;    /* and not freed */
static u64 fail_after = ~0ull; /* allocations before the allocator returns NULL */

/* The "physical" address of a table is its address plus this. */
#define PA_OFFSET BIT(50)

static void *alloc_page(void)
{
	void *page;

	if (!fail_after)
		return NULL;
	fail_after--;
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	assert_non_null(page);
	pages_allocated++;
	return memset(page, 0, PAGE_SIZE);
}

static void free_page(void *page)
{
	/* If a freed table is read again, the sanitizer reports it. */
	assert_true(pages_allocated > 0);
	pages_allocated--;
	free(page);
}

static const struct ept_ops ops = {alloc_page, free_page, -PA_OFFSET};

#endif
