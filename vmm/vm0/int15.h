/* SPDX-License-Identifier: MIT */
/*
 * The memory map for a guest that asks the firmware for it: INT 15h with AX = E820h, E801h, E881h
 * or AH = 88h, answered by a handler that is resident in the guest's memory. Pure. Sources: ACPI,
 * "System Address Map Interfaces"; for E801h and 88h, the interrupt lists that firmware follows.
 */
#ifndef GH_VMM_VM0_INT15_H
#define GH_VMM_VM0_INT15_H

#include "lib/memmap.h"

/* The head of the handler's segment; int15_handler.S knows the offsets. */
struct int15_data {
	u16 old_offset, old_segment; /* the handler before this one */
	u16 kib_above;               /* RAM from 1 MiB on, in KiB, at most 65535 */
	u16 kib_low;                 /* RAM from 1 to 16 MiB, in KiB */
	u16 blocks;                  /* RAM from 16 MiB on, in 64 KiB; without a hole */
	u16 count, entries;          /* the E820 entries: how many, at what offset */
	u16 reserved;
};

/* How many bytes int15_build() writes for a map of @nr ranges. Below 64 KiB. */
size_t int15_size(unsigned nr);

/*
 * Write the segment to @segment: data, code, the ranges of @map. @old: the vector (segment << 16 |
 * offset) that gets what is not about memory. Returns the offset of the handler's entry.
 */
u16 int15_build(void *segment, const struct memmap *map, u32 old);

#endif
