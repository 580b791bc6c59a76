/* SPDX-License-Identifier: MIT */
/*
 * The boot information of multiboot 2. Source: Multiboot2 Specification, "Boot information format".
 */
#ifndef GH_BOOT_MBI_H
#define GH_BOOT_MBI_H

#include "bits.h"
#include "framebuffer.h"

/* The tags that are parsed. */
enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_EFI64_SYSTEM_TABLE = 12,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
	TAG_EFI_BS = 18,
	TAG_EFI64_IMAGE_HANDLE = 20,
};

struct mbi_header {
	u32 total_size, reserved;
};

struct tag {
	u32 type, size;
	u8 data[];
} __packed;

struct tag_module {
	u32 type, size, mod_start, mod_end;
	char string[];
} __packed;

struct tag_framebuffer {
	u32 type, size;
	u64 address;
	u32 pitch, width, height;
	u8 bpp, fb_type;
	u16 reserved;
	struct fb_channel channels[]; /* red, green, blue; FB_RGB only */
} __packed;

#endif
