/* SPDX-License-Identifier: MIT */
/*
 * The ring in RAM that the log goes to, as console.c writes it and last_log.c reads it.
 */
#ifndef GH_LOG_RING_H
#define GH_LOG_RING_H

#include "bits.h"

#define CONSOLE_RING_PAGES 5
#define LOG_RING_MAGIC     "glasshouse log"
#define LOG_RING_TEXT      (CONSOLE_RING_PAGES * PAGE_SIZE - sizeof(struct log_ring))
#define LOG_RING_NO_PANIC  ~0ull

/* Found by its name in a memory dump, and after a warm reset. */
struct log_ring {
	char magic[16];
	u64 size;    /* of text */
	u64 written; /* bytes since start; the next one goes to written % size */
	u64 panic;   /* what was written before the panic; LOG_RING_NO_PANIC: there was none */
	u32 sum;     /* of the bytes of text */
	u32 check;   /* of the header */
	char text[];
};

static inline u32 log_ring_check(const struct log_ring *r)
{
	return (u32)(r->size * 3 + r->written * 5 + r->panic * 7) ^ r->sum;
}

/* To the consoles only. */
void console_write(const char *s, size_t n);

#endif
