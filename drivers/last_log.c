/* SPDX-License-Identifier: MIT */
/*
 * Finds the log ring of the previous boot in RAM, prints its end, and keeps it.
 */
#include "drivers/console.h"
#include "drivers/log_writer.h"
#include "lib/pages.h"
#include "lib/string.h"

#define LAST_LINES 768u /* characters to print of a boot that did not panic */

/* Where to start printing: at the panic, or at the line that starts within the last LAST_LINES. */
static u64 print_start(const struct log_ring *r)
{
	u64 oldest = r->written - MIN(r->written, r->size), from;

	if (r->panic != LOG_RING_NO_PANIC && r->panic <= r->written)
		return MAX(r->panic, oldest);
	from = MAX(oldest, r->written - MIN(r->written, LAST_LINES));
	while (from > 0 && from < r->written && r->text[(from - 1) % r->size] != '\n')
		from++;
	return from;
}

static void print_last(const struct log_ring *r)
{
	static const char head[] = "\n--- The boot before this one ended with: ---\n",
			  foot[] = "--- End ---\n\n";

	console_write(head, sizeof(head) - 1);
	for (u64 i = print_start(r); i < r->written; i++)
		console_write(&r->text[i % r->size], 1);
	console_write(foot, sizeof(foot) - 1);
}

/* A copy of @r in pages of its own, or NULL. */
static struct log_ring *keep(const struct log_ring *r, size_t size)
{
	struct log_ring *copy = pages_alloc(CONSOLE_RING_PAGES);

	if (!copy)
		return NULL;
	memcpy(copy, r, size);
	copy->claimed = copy->written; /* whatever was being written */
	return copy;
}

void *console_take_last(void *start, u64 size)
{
	u64 ring_size = CONSOLE_RING_PAGES * PAGE_SIZE;
	struct log_ring *copy = NULL;

	for (u64 offset = 0; offset + ring_size <= size; offset += PAGE_SIZE) {
		struct log_ring *r = (void *)((char *)start + offset);

		if (!log_ring_is_intact(r, ring_size))
			continue;
		print_last(r);
		if (!copy)
			copy = keep(r, ring_size);
		memset(r->magic, 0, sizeof(r->magic));
	}
	return copy;
}
