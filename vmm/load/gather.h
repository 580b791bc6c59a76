/* SPDX-License-Identifier: MIT */
/*
 * Bringing several files together in memory, one after the other, where the place for them may
 * overlap the places where they are now. Pure.
 */
#ifndef GH_GATHER_H
#define GH_GATHER_H

#include "bits.h"

#define GATHER_ALIGN 4u /* each file begins at a multiple of it, as in GRUB's command initrd */

/* A file. */
struct gather_piece {
	u8 *from; /* where it is */
	u64 size; /* bytes */
	u8 *at;   /* used by gather() */
};

/* The size of @before bytes of files together with one of @size bytes after them. */
u64 gather_size(u64 before, u64 size);

/*
 * Move the @nr files at @pieces to @to, in their order, each but the last padded with zeroes up to
 * GATHER_ALIGN; behind the last so many bytes may be written, too. No file is empty, and none
 * overlaps another. @to may overlap them: then they are gone from where they were. @pieces is used
 * up.
 */
void gather(u8 *to, struct gather_piece *pieces, unsigned nr);

#endif
