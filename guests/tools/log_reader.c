// SPDX-License-Identifier: MIT
/*
 * Reading a log ring while Glasshouse writes it. See log_reader.h.
 */
#define _GNU_SOURCE /* memrchr() */
#include "guests/tools/log_reader.h"

#include <string.h>

#include "bits.h"

const char *log_reader_open(struct log_reader *r, const struct log_ring *ring, size_t bytes,
			    bool ended)
{
	if (bytes < sizeof(*ring) || memcmp(ring->magic, LOG_RING_MAGIC, sizeof(LOG_RING_MAGIC)))
		return "There is no log where Glasshouse says: it does not begin with "
		       "\"" LOG_RING_MAGIC "\".";
	if (ring->version != LOG_RING_VERSION)
		return "Glasshouse's log has another format than this program reads. Use the "
		       "program that was built with this Glasshouse.";
	*r = (struct log_reader){.ring = ring, .size = READ_ONCE(ring->size), .ended = ended};
	if (!r->size || r->size > bytes - sizeof(*ring))
		return "The log is damaged: its size is wrong.";
	return NULL;
}

/* The number of the oldest byte that is in the ring when @count bytes have been written. */
static u64 oldest(const struct log_reader *r, u64 count)
{
	return count - MIN(count, r->size);
}

/* Copy the bytes @first to @end - 1 to @text. Returns the first that was not overwritten meanwhile;
 * @end if all were. */
static u64 copy(const struct log_reader *r, char *text, u64 first, u64 end)
{
	for (u64 i = first; i < end; i++)
		text[i - first] = READ_ONCE(r->ring->text[i % r->size]);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return MIN(MAX(first, oldest(r, READ_ONCE(r->ring->claimed))), end);
}

/* The number of bytes of the first @n at @text up to and with the first \n, or the last; 0: none.
 */
static size_t line_end(const char *text, size_t n, bool last)
{
	const char *at = last ? memrchr(text, '\n', n) : memchr(text, '\n', n);

	return at ? (size_t)(at - text) + 1 : 0;
}

size_t log_reader_read(struct log_reader *r, char *text, u64 *lost)
{
	u64 end = __atomic_load_n(&r->ring->written, __ATOMIC_ACQUIRE);
	u64 first = MAX(r->next, oldest(r, end)), from = copy(r, text, first, end);
	size_t skip = (size_t)(from - first), n = (size_t)(end - first), rest;

	*lost = 0;
	if (end < r->next)
		return 0;
	r->skipping |= from > r->next;
	if (r->skipping) {
		rest = line_end(text + skip, n - skip, false);
		r->skipping = !rest;
		skip = rest ? skip + rest : n;
	}
	*lost = first + skip - r->next;
	if (!r->ended)
		n = skip + line_end(text + skip, n - skip, true);
	r->next = first + n;
	memmove(text, text + skip, n - skip);
	return n - skip;
}
