/* SPDX-License-Identifier: MIT */
/*
 * Concatenate files in memory. The destination may overlap the files. Pure.
 */
#ifndef GH_GATHER_H
#define GH_GATHER_H

#include "bits.h"

#define GATHER_ALIGN 4u /* each file begins at a multiple of it, as in GRUB's command initrd */

/* A file. */
struct gather_piece {
	u8 *from; /* where it is */
	u64 size; /* bytes */
	/* Used by gather(). */
	u8 *at;                      /* where it is to go */
	struct gather_piece *placed; /* of element N: the file at the Nth place in memory */
};

/* The size of @before bytes of concatenated files with one more of @size bytes after them. */
u64 gather_size(u64 before, u64 size);

/*
 * Move the @nr files at @pieces to @to, in their order, each but the last padded with zeroes to a
 * multiple of GATHER_ALIGN. Up to GATHER_ALIGN - 1 bytes after the last file may be overwritten. No
 * file is empty, and none overlaps another. @to may overlap them: then the sources are destroyed.
 * The contents of @pieces are changed.
 */
void gather(u8 *to, struct gather_piece *pieces, unsigned nr);

#endif
