/* SPDX-License-Identifier: MIT */
/*
 * Writing to a log ring. Its format, and how others read it meanwhile: include/log_ring.h.
 */
#ifndef GH_LOG_WRITER_H
#define GH_LOG_WRITER_H

#include "log_ring.h"

/* Make an empty ring of the @bytes of memory at @r, more than a struct log_ring. */
void log_ring_init(struct log_ring *r, size_t bytes);

/* Append the @n bytes at @s, at most the ring's size. One CPU at a time. */
void log_ring_write(struct log_ring *r, const char *s, size_t n);

/* Is @r, in @bytes of memory, a ring that nobody writes, and is all of it intact? */
bool log_ring_is_intact(const struct log_ring *r, size_t bytes);

#endif
