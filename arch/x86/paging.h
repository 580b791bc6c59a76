/* SPDX-License-Identifier: MIT */
/*
 * Our own page tables (SDM: "4-Level Paging and 5-Level Paging"). One set for all CPUs. No page is
 * both writable and executable, and the image is not there a second time in the direct map.
 */
#ifndef GH_PAGING_H
#define GH_PAGING_H

#include "arch/x86/layout.h"
#include "types.h"

/* The physical address that __image_start lies at. Set once by paging_set_image_base(). */
extern u64 image_base_pa;

/* Must be called before any address is converted. @pa: where GRUB has put the image. */
void paging_set_image_base(u64 pa);

/* Physical address of something in the image or in the direct map. */
u64 virt_to_phys(const void *p);

/* Where the physical address @pa is in the direct map: valid only for what paging_map_direct() or
 * ioremap() mapped. */
static inline void *phys_to_virt(u64 pa)
{
	return (void *)(DIRECT_BASE + pa);
}

/*
 * Build the tables: the image with its rights. Needs lib/pages. Nothing else is mapped yet: follow
 * with paging_map_direct() for all that is used, then paging_load(). Returns 0 or -ENOMEM.
 */
int paging_init(void);

/*
 * Map the pages that [@pa, @pa+@size) touches into the direct map, writable, not executable,
 * write-back (the MTRRs have the last word). What is mapped already stays. Returns 0 or -ENOMEM.
 */
int paging_map_direct(u64 pa, u64 size);

/*
 * The same, uncached: for devices. Returns the linear address of @pa, or NULL when out of pages.
 */
void *ioremap(u64 pa, u64 size);

/* Is all of [@pa, @pa+@size) in the direct map? Then it may be read and written at
 * phys_to_virt(@pa). */
bool paging_is_mapped(u64 pa, u64 size);

/*
 * A new stack of @pages pages with a page below it that is not mapped. Returns its top, 16-byte
 * aligned, or 0 when out of pages.
 */
u64 stack_alloc(unsigned pages);

/*
 * Put @entry into a place of the top level, above the middle, that is not in use in our tables nor
 * in @other, another top-level table, but for @entry: into both. Returns the linear address that it
 * maps in both, or 0 when there is no such place.
 */
u64 paging_share(u64 *other, u64 entry);

/* Take that back from @other; @va is what paging_share() returned. */
void paging_unshare(u64 *other, u64 va);

/* This CPU uses the tables from now on. */
void paging_load(void);

/* What CR3 holds: physical address of the top table. */
u64 paging_cr3(void);

#endif
