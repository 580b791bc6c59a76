/* SPDX-License-Identifier: MIT */
/*
 * A linear framebuffer, as the boot loader left it: what a guest is told of. We draw nothing there.
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
	u64 address;                        /* physical; 0: there is none */
	u32 pitch;                          /* bytes from one line to the next */
	u32 width, height;                  /* pixels, or characters if FB_TEXT */
	u8 bpp, type;                       /* bits in a pixel, enum framebuffer_type */
	struct fb_channel red, green, blue; /* FB_RGB only */
};

#endif
