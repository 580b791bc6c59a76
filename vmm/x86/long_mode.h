/* SPDX-License-Identifier: MIT */
/*
 * What a guest that starts in protected or 64-bit mode finds in its memory: a GDT, page tables.
 * Pure.
 */
#ifndef GH_LONG_MODE_H
#define GH_LONG_MODE_H

#include "bits.h"

#define BOOT_CS 0x10
#define BOOT_DS 0x18

#define BOOT_GDT_SIZE      (BOOT_DS + 8) /* bytes */
#define IDENTITY_MAP_PAGES 6      /* one top table, one of the GiBs, four of the 2-MiB pages */
#define IDENTITY_MAP_SIZE  GIB(4) /* what they map */

/* Write IDENTITY_MAP_PAGES pages at @table that map the first 4 GiB, each address to itself; @gpa:
 * where the guest sees @table. CR3 is @gpa. SDM: "4-Level Paging and 5-Level Paging". */
void fill_identity_map(u64 *table, u64 gpa);

/* Write BOOT_GDT_SIZE bytes at @gdt: BOOT_CS is flat code of 64 or 32 bits, BOOT_DS flat data. */
void fill_boot_gdt(u64 *gdt, bool long_mode);

#endif
