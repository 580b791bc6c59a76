/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's own page tables, one set for all CPUs. SDM: "4-Level Paging and 5-Level Paging". No
 * page is both writable and executable, and the direct map does not contain the image.
 */
#ifndef GH_PAGING_H
#define GH_PAGING_H

#include "arch/x86/layout.h"
#include "types.h"

/* The physical address of __image_start. Set once by paging_set_image_base(). */
extern u64 image_base_pa;

/*
 * Set image_base_pa. Must be called before any address is converted. @pa: the physical address at
 * which GRUB loaded the image.
 */
void paging_set_image_base(u64 pa);

/* The physical address of @p, which points into the image or the direct map. */
u64 virt_to_phys(const void *p);

/*
 * The address of physical address @pa in the direct map. Valid only for pages that
 * paging_map_direct() or ioremap() mapped.
 */
static inline void *phys_to_virt(u64 pa)
{
	return (void *)(DIRECT_BASE + pa);
}

/*
 * What Glasshouse's page tables expect in the MSR IA32_PAT: the values after power-up, but entry 1
 * is write-combining, which counts more than the MTRRs' "uncached". SDM: "Effective Page-Level
 * Memory Types".
 */
#define PAGING_PAT 0x0007040600070106

/* Load it into this CPU. Returns what was there, which the guest is to have. */
u64 paging_load_pat(void);

/*
 * Allocate the page tables (by lib/pages) and map the image, each section with its access rights.
 * The caller maps everything else it uses by paging_map_direct(), then calls paging_load(). Returns
 * 0, or -ENOMEM when there is no free page.
 */
int paging_init(void);

/*
 * Map the pages of [@pa, @pa+@size) (physical, bytes) into the direct map: writable, not
 * executable, write-back unless the MTRRs say otherwise. Existing mappings are kept. Returns 0, or
 * -ENOMEM when there is no free page.
 */
int paging_map_direct(u64 pa, u64 size);

/*
 * The same, uncached, for devices. Returns the linear address of @pa, or NULL when there is no free
 * page.
 */
void *ioremap(u64 pa, u64 size);

/* The same, write-combining, for a framebuffer: stores reach it late and in any order, until an
 * SFENCE. Reads are as slow as ever. */
void *ioremap_wc(u64 pa, u64 size);

/* Make a framebuffer below 4 GiB, [@pa, @pa+@size), write-combining in the boot page tables
 * (early.h), as far as their large pages hold nothing else. Returns its linear address. */
void *paging_boot_write_combining(u64 pa, u64 size);

/* Is all of [@pa, @pa+@size) mapped in the direct map, at phys_to_virt(@pa)? */
bool paging_is_mapped(u64 pa, u64 size);

/*
 * Allocate a stack of @pages pages above an unmapped guard page. Returns the linear address of its
 * top, page-aligned; or 0 when there is no free page.
 */
u64 stack_alloc(unsigned pages);

/*
 * Write the top-level entry @entry into both Glasshouse's PML4 and @other, another PML4, at an
 * index of the upper half that is free in both or already holds @entry. Returns the linear address
 * that it maps; or 0 when there is no such index.
 */
u64 paging_share(u64 *other, u64 entry);

/* Clear that entry in @other. @va: the address that paging_share() returned. */
void paging_unshare(u64 *other, u64 va);

/* Load CR3 of this CPU with Glasshouse's page tables. */
void paging_load(void);

/* The value of CR3: the physical address of the PML4. */
u64 paging_cr3(void);

#endif
