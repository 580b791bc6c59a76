/* SPDX-License-Identifier: MIT */
/*
 * Reading a log ring while Glasshouse writes it. The format and the rule: include/log_ring.h. Pure:
 * for unit tests.
 */
#ifndef LOG_READER_H
#define LOG_READER_H

#include "log_ring.h"

struct log_reader {
	const struct log_ring *ring;
	u32 size;      /* of its text, in bytes */
	u64 next;      /* the number of the next byte to read */
	bool skipping; /* it is in a line whose beginning was lost */
	bool ended;    /* nobody writes the ring any more: its last line needs no \n */
};

/*
 * Begin to read the ring at @ring, of which @bytes are mapped. Returns NULL, or why it cannot be
 * read: a sentence.
 */
const char *log_reader_open(struct log_reader *r, const struct log_ring *ring, size_t bytes,
			    bool ended);

/*
 * Copy the lines that have been written since the last call to @text, which has room for r->size
 * bytes. Returns their number of bytes; 0: no whole line yet. *@lost: how many bytes before them
 * could not be read, because newer ones have overwritten them, or because they are the rest of such
 * a line.
 */
size_t log_reader_read(struct log_reader *r, char *text, u64 *lost);

#endif
