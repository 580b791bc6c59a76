/* SPDX-License-Identifier: MIT */
/*
 * The GDT and page tables for a guest that starts in protected or 64-bit mode. These functions only
 * fill memory.
 */
#ifndef GH_LONG_MODE_H
#define GH_LONG_MODE_H

#include "bits.h"

#define BOOT_CS 0x10
#define BOOT_DS 0x18

#define BOOT_GDT_SIZE      (BOOT_DS + 8) /* bytes */
#define IDENTITY_MAP_PAGES 6      /* a PML4, a PDPT, four page directories with 2-MiB pages */
#define IDENTITY_MAP_SIZE  GIB(4) /* bytes that they map */

/*
 * Write page tables that identity-map the first 4 GiB: IDENTITY_MAP_PAGES pages at @table, whose
 * guest-physical address is @gpa. The guest's CR3 is @gpa. SDM: "4-Level Paging and 5-Level
 * Paging".
 */
void fill_identity_map(u64 *table, u64 gpa);

/*
 * Write a GDT of BOOT_GDT_SIZE bytes at @gdt: BOOT_CS is a flat code segment, 64-bit if @long_mode,
 * otherwise 32-bit; BOOT_DS is flat data. SDM: "Segment Descriptors".
 */
void fill_boot_gdt(u64 *gdt, bool long_mode);

#endif
