/* SPDX-License-Identifier: MIT */
/*
 * Where things are in our own linear address space. Shared by C, assembly and linker.ld.
 *
 *   DIRECT_BASE + p  the physical address p: RAM but for our image, and what ioremap() has mapped
 *   STACK_BASE       stacks, each with a page below it that is not there
 *   IMAGE_BASE       the image, wherever in physical memory GRUB has put it
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

/* The image is not larger: as much of it as the boot page tables map. */
#define IMAGE_MAX 0x200000

#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
#define SEL_TSS    0x20

/* Flat segments of CPL 0, 4 GiB: present, accessed. SDM: "Segment Descriptors". */
#define DESC_CODE64 GH_UL(0x00af9b000000ffff)
#define DESC_DATA   GH_UL(0x00cf93000000ffff)
#define DESC_CODE32 GH_UL(0x00cf9b000000ffff)

/* GDT: null, code64, data, code32, and the TSS, which takes two. */
#define GDT_ENTRIES 6

#endif
