/* SPDX-License-Identifier: MIT */
/*
 * The layout of Glasshouse's linear address space. Shared by C, assembly and linker.ld.
 *
 *   DIRECT_BASE + p  physical address p: the pages that paging_map_direct() and ioremap() mapped
 *   STACK_BASE       stacks, each above an unmapped guard page
 *   IMAGE_BASE       the image, whose physical address GRUB chooses
 */
#ifndef GH_LAYOUT_H
#define GH_LAYOUT_H

#ifdef __ASSEMBLER__
#define GH_UL(x) x
#else
#define GH_UL(x) x##ul
#endif

#define DIRECT_BASE GH_UL(0xffff800000000000)
#define STACK_BASE  GH_UL(0xffffff0000000000)
#define IMAGE_BASE  GH_UL(0xffffffff80000000)

/* The address that the image is linked at; GRUB moves it (see boot/multiboot2.S). */
#define IMAGE_LMA 0x200000

/* The maximum size of the image in bytes: the boot page tables map this much. */
#define IMAGE_MAX 0x200000

#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
#define SEL_TSS    0x20

/* Flat segments, DPL 0, 4 GiB, present, accessed. SDM: "Segment Descriptors". */
#define DESC_CODE64 GH_UL(0x00af9b000000ffff)
#define DESC_DATA   GH_UL(0x00cf93000000ffff)
#define DESC_CODE32 GH_UL(0x00cf9b000000ffff)

/* GDT: null, code64, data, code32, and the TSS, which takes two entries. */
#define GDT_ENTRIES 6

#endif
