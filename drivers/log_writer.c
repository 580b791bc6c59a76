/* SPDX-License-Identifier: MIT */
/*
 * Writing to a log ring. Pure: for unit tests.
 */
#include "drivers/log_writer.h"
#include "lib/string.h"

void log_ring_init(struct log_ring *r, size_t bytes)
{
	memset(r, 0, bytes);
	*r = (struct log_ring){.magic = LOG_RING_MAGIC,
			       .version = LOG_RING_VERSION,
			       .size = (u32)(bytes - sizeof(*r)),
			       .panic = LOG_RING_NO_PANIC};
	r->check = log_ring_check(r);
}

void log_ring_write(struct log_ring *r, const char *s, size_t n)
{
	u64 at = r->written;

	/* Readers must see a byte's claim before its change, and its change before its count. */
	__atomic_store_n(&r->claimed, at + n, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 0; i < n; i++) {
		char *to = &r->text[(at + i) % r->size];

		r->sum += (u32)(u8)s[i] - (u8)*to;
		*to = s[i];
	}
	__atomic_store_n(&r->written, at + n, __ATOMIC_RELEASE);
	r->check = log_ring_check(r);
}

bool log_ring_is_intact(const struct log_ring *r, size_t bytes)
{
	u32 sum = 0;

	if (memcmp(r->magic, LOG_RING_MAGIC, sizeof(LOG_RING_MAGIC)) != 0 ||
	    r->version != LOG_RING_VERSION || r->size != bytes - sizeof(*r) ||
	    r->check != log_ring_check(r))
		return false;
	for (u32 i = 0; i < r->size; i++)
		sum += (u8)r->text[i];
	return sum == r->sum;
}
