/* SPDX-License-Identifier: MIT */
/*
 * A region of linear addresses for tests of changing tables: 512 pages of 4 KiB from TEST_VA on,
 * with tables of its own at each level, and frames of memory that tell one another apart.
 */
#ifndef PAGING_REGION_H
#define PAGING_REGION_H

#include "guests/paging/paging.h"

#define ALL      (PT_P | PT_W | PT_U)
#define PAGE(i)  (TEST_VA + (i)*4096ull)
#define LARGE(i) (TEST_VA + (i)*MIB(2)) /* 1 and more */

/* By level: region[0] is the PTEs' table, region[3] the root. Only entry TEST_SLOT of that. */
extern u64 *const region[4];
extern u64 spare[4][512]; /* more tables */

/* Where the entry of @level is for the first page of the region. */
u64 *region_entry(int level);

/* Build the region anew: page i maps FRAME(i), for i below 64, read and write, user; the rest is
 * not present. All frames are filled: FRAME(i) with byte i, each 4 KiB of BIG(i) with 128 + i. */
void region_reset(void);

/* Write an entry; and invalidate one address, or all of them. */
void set_entry(u64 *entry, u64 value);
void flush_all(void);

/* Do the access, twice if the first one faults: a CPU may use what it remembers until then. */
bool soon(unsigned kind, u64 va);

/* Does the access fault with this error code and CR2? */
bool faults(unsigned kind, u64 va, u32 error);

#endif
