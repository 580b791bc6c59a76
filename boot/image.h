/* SPDX-License-Identifier: MIT */
/*
 * The first bytes of the image: what the UEFI front door must know to copy it and to start it
 * there.
 */
#ifndef GH_BOOT_IMAGE_H
#define GH_BOOT_IMAGE_H

#define IMAGE_MAGIC 0x554f485353414c47 /* "GLASSHOU" */

/* Offsets for boot/efi/switch.S. */
#define IMAGE_ENTER_LONG_MODE 16
#define IMAGE_STACK_TOP       20

#ifndef __ASSEMBLER__
#include "types.h"

/* See image.S. Offsets are from the start of the image, sizes in bytes. */
struct image_header {
	u64 magic;
	u32 file_size;       /* of the part that is in the file; the rest is zeroes */
	u32 size;            /* in memory: whole pages */
	u32 enter_long_mode; /* see arch/x86/long_mode.S */
	u32 stack_top;       /* of the boot stack */
	u32 boot_cpu;        /* for enter_long_mode: where the boot CPU continues, */
	u32 other_cpu;       /* and where each other CPU does; see efi_entry.S */
};
#endif

#endif
