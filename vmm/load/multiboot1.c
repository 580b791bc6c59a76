/* SPDX-License-Identifier: MIT */
/*
 * Multiboot, version 1: parse the kernel's header, write its boot information. Field names are the
 * specification's.
 */
#include "errno.h"
#include "lib/string.h"
#include "vmm/load/multiboot.h"

#define ROLE             "multiboot"
#define SEARCH           8192
#define HEADER_MAGIC     0x1badb002u
#define BOOTLOADER_MAGIC 0x2badb002u

#define HEADER_PAGE_ALIGN     BIT(0)
#define HEADER_MEMORY_INFO    BIT(1)
#define HEADER_VIDEO_MODE     BIT(2)
#define HEADER_REQUIRED       GENMASK(15, 0)
#define HEADER_AOUT_KLUDGE    BIT(16)
#define HEADER_KNOWN_REQUIRED (HEADER_PAGE_ALIGN | HEADER_MEMORY_INFO | HEADER_VIDEO_MODE)

struct multiboot_header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

#define INFO_MEMORY           BIT(0)
#define INFO_CMDLINE          BIT(2)
#define INFO_MODS             BIT(3)
#define INFO_ELF_SHDR         BIT(5)
#define INFO_MMAP             BIT(6)
#define INFO_BOOT_LOADER_NAME BIT(9)
#define INFO_FRAMEBUFFER      BIT(12)

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	struct {
		u32 num, size, addr, shndx;
	} elf_sec;
	u32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name;
	u32 apm_table, vbe_control_info, vbe_mode_info;
	u16 vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
	u64 framebuffer_addr;
	u32 framebuffer_pitch, framebuffer_width, framebuffer_height;
	u8 framebuffer_bpp, framebuffer_type;
	struct fb_channel red, green, blue;
} __packed;

_Static_assert(offsetof(struct multiboot_info, framebuffer_addr) == 88 &&
		       offsetof(struct multiboot_info, red) == 110,
	       "multiboot_info");

struct multiboot_mod {
	u32 mod_start, mod_end, string, reserved;
};

struct multiboot_mmap {
	u32 size; /* of the rest of the entry */
	u64 base_addr, length;
	u32 type;
} __packed;

/* Find the header and copy it to @h. Returns its offset in the file, or -1. */
static s64 find_header(const u8 *file, u64 size, struct multiboot_header *h)
{
	for (u64 at = 0; at + 12 <= MIN(size, SEARCH); at += 4) {
		memset(h, 0, sizeof(*h));
		memcpy(h, file + at, MIN(sizeof(*h), size - at));
		if (h->magic == HEADER_MAGIC && h->magic + h->flags + h->checksum == 0)
			return (s64)at;
	}
	return -1;
}

static int plan_image(struct multiboot_plan *plan, const u8 *file, u64 size)
{
	struct multiboot_header h;
	s64 at = find_header(file, size, &h);
	u32 first = 0;
	int r;

	memcpy(&first, file, MIN(size, sizeof(first)));
	if (at < 0)
		return image_refuse(ROLE, "magic", first,
				    "no multiboot header in the first 8 KiB of this file; try the "
				    "role multiboot2 or linux");
	if (h.flags & HEADER_REQUIRED & ~HEADER_KNOWN_REQUIRED)
		return image_refuse(ROLE, "flags", h.flags,
				    "of the required bits, 0 to 15, only 0 to 2 are supported");
	if (!(h.flags & HEADER_AOUT_KLUDGE))
		return elf_parse(file, size, ROLE, &plan->image);
	if (h.load_addr > h.header_addr || h.header_addr - h.load_addr > at)
		return image_refuse(ROLE, "load_addr", h.load_addr,
				    "it does not match header_addr and the header's offset");
	r = multiboot_flat_image(plan, size, (u64)at - (h.header_addr - h.load_addr), h.load_addr,
				 h.load_end_addr, h.bss_end_addr);
	plan->image.entry = h.entry_addr;
	return r;
}

static void put_modules(struct info_writer *w, const struct multiboot_plan *plan,
			const struct multiboot_input *in, struct multiboot_info *info)
{
	info->flags |= INFO_MODS;
	info->mods_count = in->nr_modules;
	info->mods_addr = info_put(w, NULL, in->nr_modules * sizeof(struct multiboot_mod), 4);
	for (unsigned i = 0; i < in->nr_modules; i++) {
		const struct guest_module *m = &in->modules[i];
		struct multiboot_mod mod = {
			.mod_start = (u32)plan->modules[i],
			.mod_end = (u32)(plan->modules[i] + m->size),
			.string = info_put(w, m->string, strlen(m->string) + 1, 1)};

		if (w->block)
			memcpy(info_at(w, info->mods_addr + i * (u32)sizeof(mod)), &mod,
			       sizeof(mod));
	}
}

static void put_memory(struct info_writer *w, const struct memmap *map, struct multiboot_info *info)
{
	info->flags |= INFO_MEMORY | INFO_MMAP;
	info->mem_lower = mem_lower(map);
	info->mem_upper = mem_upper(map);
	info->mmap_length = map->nr * sizeof(struct multiboot_mmap);
	info->mmap_addr = (u32)ALIGN_UP(w->gpa + w->used, 4);
	for (unsigned i = 0; i < map->nr; i++) {
		struct multiboot_mmap e = {.size = sizeof(e) - sizeof(e.size),
					   .base_addr = map->r[i].base,
					   .length = map->r[i].size,
					   .type = map->r[i].type};

		info_put(w, &e, sizeof(e), 4);
	}
}

/* Report the current mode. The kernel's preferred mode is not binding. */
static void fill_framebuffer(const struct framebuffer *fb, struct multiboot_info *info)
{
	info->flags |= INFO_FRAMEBUFFER;
	info->framebuffer_addr = fb->address;
	info->framebuffer_pitch = fb->pitch;
	info->framebuffer_width = fb->width;
	info->framebuffer_height = fb->height;
	info->framebuffer_bpp = fb->bpp;
	info->framebuffer_type = fb->type;
	info->red = fb->red;
	info->green = fb->green;
	info->blue = fb->blue;
}

static void write_info(struct info_writer *w, const struct multiboot_plan *plan,
		       const struct multiboot_input *in)
{
	struct multiboot_info info = {.flags = INFO_CMDLINE | INFO_BOOT_LOADER_NAME};
	u32 at = info_put(w, NULL, sizeof(info), 8);
	const char *cmdline = in->kernel.string;

	info.cmdline = info_put(w, cmdline, strlen(cmdline) + 1, 1);
	info.boot_loader_name = info_put(w, MULTIBOOT_LOADER, sizeof(MULTIBOOT_LOADER), 1);
	put_modules(w, plan, in, &info);
	put_memory(w, in->map, &info);
	fill_framebuffer(in->fb ? in->fb : &multiboot_text_screen, &info);
	if (plan->image.shnum) {
		info.flags |= INFO_ELF_SHDR;
		info.elf_sec.num = plan->image.shnum;
		info.elf_sec.size = plan->image.shentsize;
		info.elf_sec.shndx = plan->image.shstrndx;
		info.elf_sec.addr = info_put_sections(w, plan, in);
	}
	if (w->block)
		memcpy(info_at(w, at), &info, sizeof(info));
}

int multiboot1_load(const struct multiboot_input *in, struct multiboot_entry *entry)
{
	static struct multiboot_plan plan;
	const void *file = multiboot_file(in, ROLE);
	int r;

	memset(&plan, 0, sizeof(plan));
	plan.role = ROLE;
	if (!file)
		return -EFAULT;
	r = plan_image(&plan, file, in->kernel.size);
	if (!r)
		r = multiboot_load(&plan, in, write_info);
	*entry = multiboot_entry(&plan, BOOTLOADER_MAGIC);
	return r;
}
