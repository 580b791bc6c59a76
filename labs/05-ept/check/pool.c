/* SPDX-License-Identifier: MIT */
/*
 * Memory for tables. See parts.h.
 */
#include "labs/05-ept/check/parts.h"
#include "lib/log.h"
#include "lib/string.h"

#define TABLES 96
/* "Physical" addresses of the tables, in entries. */
#define FIRST_PA (BIT(40) + MIB(5))

struct pool pool;

static u8 pages[TABLES][PAGE_SIZE] __aligned(PAGE_SIZE);
static enum { FREE, NEW, KEPT } state[TABLES];
static bool keeping;

static void *alloc_page(void)
{
	unsigned i = 0;

	if (pool.watcher)
		pool.watcher();
	while (i < TABLES && state[i] != FREE)
		i++;
	if (!pool.fail_after || i == TABLES)
		return NULL;
	pool.fail_after--;
	pool.used++;
	state[i] = NEW;
	return memset(pages[i], 0, PAGE_SIZE);
}

static void free_page(void *page)
{
	u64 i = (u64)((u8 *)page - pages[0]) / PAGE_SIZE;

	if (i >= TABLES || state[i] == FREE) {
		pr_info("# free_page(%lx): this is no table that is in use\n", (u64)page);
		pool.why = "a page has been freed that is no table";
		return;
	}
	if (keeping && state[i] == KEPT) {
		pr_info("# free_page(%lx): it was in the tables before this call\n", (u64)page);
		pool.why = "a table has been freed that a CPU may still use: it must be retired";
	}
	state[i] = FREE;
	pool.used--;
	memset(page, 0xff, PAGE_SIZE);
}

/* The linker has all others call __wrap_ept_init(), which is check.c's. */
int __real_ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps);

void pool_begin(struct ept *ept, const struct ept_caps *caps)
{
	const struct ept_ops ops = {alloc_page, free_page, (u64)pages - FIRST_PA};

	memset(state, 0, sizeof(state));
	pool = (struct pool){.fail_after = ~0u};
	keeping = false;
	__real_ept_init(ept, &ops, caps);
}

void pool_keep(void)
{
	for (unsigned i = 0; i < TABLES; i++)
		if (state[i] == NEW)
			state[i] = KEPT;
	keeping = true;
}

void pool_let_free(void)
{
	keeping = false;
}
