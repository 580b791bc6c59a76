/* SPDX-License-Identifier: MIT */
/*
 * The head of the image: what a loader must know to put the image somewhere and to start it there.
 */
#ifndef GH_IMAGE_H
#define GH_IMAGE_H

/* "GLASSHOU", little-endian */
#define IMAGE_MAGIC 0x554f485353414c47

#ifndef __ASSEMBLER__
#include "types.h"

/* At the image's start, see arch/x86/image.S. Offsets are from the image's start, sizes in bytes. */
struct image_header {
	u64 magic;
	u32 file_size; /* of what is in a file */
	u32 size;      /* in memory: what follows the file's part is 0 */
	/* 32-bit entries, for enter_long_mode: where a boot CPU and another CPU go on. */
	u32 enter_long_mode, boot_cpu, other_cpu;
	u32 boot_stack_top;
	u32 boot_pml4;
};

extern const struct image_header image_header;
#endif

#endif
