/* SPDX-License-Identifier: MIT */
/*
 * Finds the log ring of the previous boot in RAM, and prints its end.
 */
#include "drivers/log_ring.h"
#include "lib/string.h"

#define LAST_LINES 768u /* characters to print of a boot that did not panic */

static bool is_ring(const struct log_ring *r)
{
	u32 sum = 0;

	if (memcmp(r->magic, LOG_RING_MAGIC, sizeof(LOG_RING_MAGIC)) != 0 ||
	    r->size != LOG_RING_TEXT || r->check != log_ring_check(r))
		return false;
	for (u64 i = 0; i < r->size; i++)
		sum += (u8)r->text[i];
	return sum == r->sum;
}

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

static void print_last(struct log_ring *r)
{
	static const char head[] = "\n--- The boot before this one ended with: ---\n",
			  foot[] = "--- End ---\n\n";

	console_write(head, sizeof(head) - 1);
	for (u64 i = print_start(r); i < r->written; i++)
		console_write(&r->text[i % r->size], 1);
	console_write(foot, sizeof(foot) - 1);
}

void console_print_last(void *start, u64 size)
{
	u64 ring_size = CONSOLE_RING_PAGES * PAGE_SIZE;

	for (u64 offset = 0; offset + ring_size <= size; offset += PAGE_SIZE) {
		struct log_ring *r = (void *)((char *)start + offset);

		if (!is_ring(r))
			continue;
		print_last(r);
		memset(r->magic, 0, sizeof(r->magic));
	}
}
