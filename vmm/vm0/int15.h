/* SPDX-License-Identifier: MIT */
/*
 * The INT 15h handler that stays resident in the guest's memory. It returns the guest's memory map
 * by AX = E820h, E801h, E881h or AH = 88h instead of the firmware. Pure. Sources: ACPI, "System
 * Address Map Interfaces"; for E801h and 88h, Ralf Brown's Interrupt List.
 */
#ifndef GH_VMM_VM0_INT15_H
#define GH_VMM_VM0_INT15_H

#include "lib/memmap.h"

/* The start of the handler's segment. int15_handler.S uses the offsets. */
struct int15_data {
	u16 old_offset, old_segment; /* the firmware's handler */
	u16 kib_above;               /* RAM from 1 MiB on, in KiB, at most 65535 */
	u16 kib_low;                 /* RAM from 1 to 16 MiB, in KiB */
	u16 blocks;                  /* RAM from 16 MiB to the first hole, in units of 64 KiB */
	u16 count, entries;          /* the E820 entries: number, offset in the segment */
	u16 reserved;
};

/* Returns the size in bytes of the segment that int15_build() writes for a map of @nr ranges: it
 * must be below 64 KiB. */
size_t int15_size(unsigned nr);

/*
 * Write the segment to @segment, of int15_size(map->nr) bytes: data, code, the ranges of @map.
 * @old: the firmware's handler (segment << 16 | offset), which gets all other calls. Returns the
 * offset of the new handler in the segment.
 */
u16 int15_build(void *segment, const struct memmap *map, u32 old);

#endif
