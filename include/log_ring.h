/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's log in memory: a ring of text in whole pages, which Glasshouse writes and anybody
 * may read: a guest, the next boot, a dump of memory. This header is shared with programs outside
 * of Glasshouse.
 *
 * A byte of the log has a number, from 0 on: byte n is text[n % size]. Read a ring in this order:
 *
 *   1. Read written. The bytes below it are in the ring, but of these only the last size bytes.
 *   2. Copy the bytes that are wanted.
 *   3. Read claimed. Glasshouse may have overwritten what is below claimed - size during the copy:
 *      drop it.
 *
 * Lines end with \n. Where bytes were dropped, go on after the next \n; leave what follows the last
 * \n for later. sum and check are for a ring that nobody writes any more: while somebody does, they
 * may not fit.
 */
#ifndef GH_LOG_RING_H
#define GH_LOG_RING_H

#include "types.h"

/*
 * Where a guest finds a ring: CPUID with this leaf in EAX, and an enum log_ring_of in ECX. EBX:EAX
 * is the guest-physical address, ECX the size in bytes, both multiples of the page size; all are 0
 * where there is no such ring. LOG_RING_TRACE is the exits: include/trace_ring.h. CPUID 40000000h
 * has this leaf, or a higher one, in EAX, and "Glasshouse  " in EBX, ECX, EDX. The pages are
 * readable only.
 */
#define LOG_RING_LEAF 0x40000001u

/* The log of this boot; of the one before; the exits. */
enum log_ring_of { LOG_RING_NOW, LOG_RING_LAST, LOG_RING_TRACE, LOG_RINGS };

#define LOG_RING_MAGIC    "glasshouse log"
#define LOG_RING_VERSION  1
#define LOG_RING_NO_PANIC ~0ull

struct log_ring {
	char magic[16];
	u32 version; /* LOG_RING_VERSION; another one means another layout from here on */
	u32 size;    /* bytes in text */
	u64 written; /* bytes written since the start */
	u64 claimed; /* the same, with those that are being written */
	u64 panic;   /* the value of written at the first panic, or LOG_RING_NO_PANIC */
	u32 sum;     /* sum of the bytes in text */
	u32 check;   /* log_ring_check() */
	char text[];
};

/* The checksum of the header of @r. */
static inline u32 log_ring_check(const struct log_ring *r)
{
	u64 sum = r->version * 2ull + r->size * 3ull + r->written * 5 + r->panic * 7;

	return (u32)(sum ^ sum >> 32) ^ r->sum;
}

#endif
