/* SPDX-License-Identifier: MIT */
/*
 * The page allocator: a bump pointer that moves up through the range, and a list of freed pages.
 */
#include "lib/pages.h"
#include "bits.h"
#include "lib/spinlock.h"
#include "lib/string.h"

struct free_page {
	struct free_page *next;
};

static spinlock_t lock;
static char *start, *bump, *end;
static struct free_page *free_list;
static size_t nr_free;

void pages_init(void *base, size_t nr)
{
	start = bump = base;
	end = bump + nr * PAGE_SIZE;
	free_list = NULL;
	nr_free = 0;
}

void *pages_alloc(size_t nr)
{
	char *p = NULL;

	spin_lock(&lock);
	if (nr && (size_t)(end - bump) / PAGE_SIZE >= nr) {
		p = bump;
		bump += nr * PAGE_SIZE;
	}
	spin_unlock(&lock);
	return p ? memset(p, 0, nr * PAGE_SIZE) : NULL;
}

void *page_alloc(void)
{
	struct free_page *p;

	spin_lock(&lock);
	p = free_list;
	if (p) {
		free_list = p->next;
		nr_free--;
	}
	spin_unlock(&lock);
	return p ? memset(p, 0, PAGE_SIZE) : pages_alloc(1);
}

void page_free(void *page)
{
	struct free_page *p = page;

	if (!p)
		return;
	spin_lock(&lock);
	p->next = free_list;
	free_list = p;
	nr_free++;
	spin_unlock(&lock);
}

size_t pages_left(void)
{
	return nr_free + (size_t)(end - bump) / PAGE_SIZE;
}

const void *pages_range(size_t *size)
{
	*size = (size_t)(end - start);
	return start;
}
