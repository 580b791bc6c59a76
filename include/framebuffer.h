/* SPDX-License-Identifier: MIT */
/*
 * The linear framebuffer that the boot loader set up.
 */
#ifndef GH_FRAMEBUFFER_H
#define GH_FRAMEBUFFER_H

#include "types.h"

/* The values are multiboot 2's. */
enum framebuffer_type { FB_INDEXED = 0, FB_RGB = 1, FB_TEXT = 2 };

/* One colour channel of an RGB framebuffer: its lowest bit in a pixel, its width in bits. */
struct fb_channel {
	u8 position, size;
};

struct framebuffer {
	u64 address;                        /* physical; 0: no framebuffer */
	u32 pitch;                          /* bytes from one line to the next */
	u32 width, height;                  /* in pixels; FB_TEXT: in characters */
	u8 bpp, type;                       /* bits per pixel, enum framebuffer_type */
	struct fb_channel red, green, blue; /* FB_RGB only */
};

#endif
