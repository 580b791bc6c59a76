/* SPDX-License-Identifier: MIT */
/*
 * The format of the log ring in RAM, which console.c writes and last_log.c reads.
 */
#ifndef GH_LOG_RING_H
#define GH_LOG_RING_H

#include "bits.h"

#define CONSOLE_RING_PAGES 5
#define LOG_RING_MAGIC     "glasshouse log"
#define LOG_RING_TEXT      (CONSOLE_RING_PAGES * PAGE_SIZE - sizeof(struct log_ring))
#define LOG_RING_NO_PANIC  ~0ull

/* The magic makes it possible to find the ring after a warm reset, and in a memory dump. */
struct log_ring {
	char magic[16];
	u64 size;    /* bytes in text */
	u64 written; /* bytes written since the start; the next one goes to written % size */
	u64 panic;   /* the value of written at the first panic, or LOG_RING_NO_PANIC */
	u32 sum;     /* sum of the bytes in text */
	u32 check;   /* log_ring_check(): checksum of the header */
	char text[];
};

/* The checksum of the header of @r. */
static inline u32 log_ring_check(const struct log_ring *r)
{
	return (u32)(r->size * 3 + r->written * 5 + r->panic * 7) ^ r->sum;
}

/* Write @n bytes at @s to the selected consoles, not to the ring. Takes no lock. */
void console_write(const char *s, size_t n);

#endif
