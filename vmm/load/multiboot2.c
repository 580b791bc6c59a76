/* SPDX-License-Identifier: MIT */
/*
 * Multiboot, version 2: parse the kernel's header, write its boot information. Field names are the
 * specification's.
 */
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/load/multiboot.h"
#include "vmm/memslot.h"

#define ROLE              "multiboot2"
#define SEARCH            32768
#define HEADER_MAGIC      0xe85250d6u
#define BOOTLOADER_MAGIC  0x36d76289u
#define ARCHITECTURE_I386 0

enum header_tag {
	HEADER_END,
	HEADER_INFORMATION_REQUEST,
	HEADER_ADDRESS,
	HEADER_ENTRY_ADDRESS,
	HEADER_CONSOLE_FLAGS,
	HEADER_FRAMEBUFFER,
	HEADER_MODULE_ALIGN,
	HEADER_EFI_BS,
	HEADER_ENTRY_ADDRESS_EFI32,
	HEADER_ENTRY_ADDRESS_EFI64,
	HEADER_RELOCATABLE,
};

#define TAG_OPTIONAL BIT(0)

enum info_tag {
	INFO_END,
	INFO_CMDLINE,
	INFO_BOOT_LOADER_NAME,
	INFO_MODULE,
	INFO_BASIC_MEMINFO,
	INFO_BOOTDEV,
	INFO_MMAP,
	INFO_VBE,
	INFO_FRAMEBUFFER,
	INFO_ELF_SECTIONS,
	INFO_APM,
	INFO_EFI32,
	INFO_EFI64,
	INFO_SMBIOS,
	INFO_ACPI_OLD,
	INFO_ACPI_NEW,
	INFO_NETWORK,
	INFO_EFI_MMAP,
	INFO_EFI_BS,
	INFO_EFI32_IH,
	INFO_EFI64_IH,
	INFO_LOAD_BASE_ADDR,
};

/* The tags that a kernel may require: it gets them if the machine has the data. */
#define INFO_GIVEN                                                                           \
	(BIT(INFO_END) | BIT(INFO_CMDLINE) | BIT(INFO_BOOT_LOADER_NAME) | BIT(INFO_MODULE) | \
	 BIT(INFO_BASIC_MEMINFO) | BIT(INFO_MMAP) | BIT(INFO_FRAMEBUFFER) |                  \
	 BIT(INFO_ELF_SECTIONS) | BIT(INFO_ACPI_OLD) | BIT(INFO_ACPI_NEW) |                  \
	 BIT(INFO_LOAD_BASE_ADDR))

#define RELOCATE_HIGHEST 2
#define LOWEST_BASE      KIB(64) /* above the BIOS data, even if the kernel allows less */

/* The parsed header. A tag is an array of its 32-bit words, from its type. */
struct header {
	u64 offset;         /* in the file */
	u32 address[6];     /* type and flags, size, header_addr, load_addr, load_end, bss_end */
	u32 relocatable[6]; /* type and flags, size, min_addr, max_addr, align, preference */
	u32 entry_addr[3];
	bool has_address, has_relocatable, has_entry;
};

static u32 word(const u8 *file, u64 at)
{
	u32 value;

	memcpy(&value, file + at, 4);
	return value;
}

/* Find the header: it starts at *@at and ends at *@end in the file. */
static bool find_header(const u8 *file, u64 size, u64 *at, u64 *end)
{
	for (*at = 0; *at + 16 <= MIN(size, SEARCH); *at += 8) {
		u32 length = word(file, *at + 8);

		*end = *at + length;
		if (word(file, *at) == HEADER_MAGIC && length >= 16 && *end <= size &&
		    word(file, *at) + word(file, *at + 4) + length + word(file, *at + 12) == 0)
			return true;
	}
	return false;
}

static int check_request(const u8 *file, u64 at, u32 size)
{
	for (u32 i = 8; i + 4 <= size; i += 4) {
		u32 type = word(file, at + i);

		if (type >= 64 || !(INFO_GIVEN & BIT(type)))
			return image_refuse(ROLE, "mbi_tag_types", type,
					    "the kernel requires information that Glasshouse does "
					    "not have; boot it without Glasshouse");
	}
	return 0;
}

static int copy_tag(const u8 *file, u64 at, u32 size, u32 *to, u32 want, bool *has)
{
	if (size < want)
		return image_refuse(ROLE, "header tag's size", size, "too small for this tag");
	memcpy(to, file + at, want);
	*has = true;
	return 0;
}

static int take_tag(const u8 *file, u64 at, u32 size, struct header *h)
{
	u32 type = word(file, at) & 0xffff;
	bool optional = word(file, at) >> 16 & TAG_OPTIONAL;

	switch (type) {
	case HEADER_INFORMATION_REQUEST:
		return optional ? 0 : check_request(file, at, size);
	case HEADER_ADDRESS:
		return copy_tag(file, at, size, h->address, sizeof(h->address), &h->has_address);
	case HEADER_ENTRY_ADDRESS:
		return copy_tag(file, at, size, h->entry_addr, sizeof(h->entry_addr),
				&h->has_entry);
	case HEADER_RELOCATABLE:
		return copy_tag(file, at, size, h->relocatable, sizeof(h->relocatable),
				&h->has_relocatable);
	case HEADER_CONSOLE_FLAGS: /* there is a console: the one of Glasshouse's messages */
	case HEADER_FRAMEBUFFER:   /* not binding; the kernel gets the current mode */
	case HEADER_MODULE_ALIGN:  /* modules are always aligned */
	case HEADER_EFI_BS:        /* these three apply to EFI only */
	case HEADER_ENTRY_ADDRESS_EFI32:
	case HEADER_ENTRY_ADDRESS_EFI64:
		return 0;
	}
	return optional ? 0
			: image_refuse(ROLE, "header tag", type,
				       "unknown, and not marked as optional");
}

static int read_header(const u8 *file, u64 size, struct header *h)
{
	u64 end, at;
	int r = 0;

	memset(h, 0, sizeof(*h));
	if (!find_header(file, size, &h->offset, &end))
		return image_refuse(
			ROLE, "magic", size >= 4 ? word(file, 0) : 0,
			"no multiboot2 header in the first 32 KiB of this file; try the "
			"role multiboot or linux");
	if (word(file, h->offset + 4) != ARCHITECTURE_I386)
		return image_refuse(ROLE, "architecture", word(file, h->offset + 4), "not i386");
	for (at = h->offset + 16; !r && at + 8 <= end;) {
		u32 tag_size = word(file, at + 4);

		if ((word(file, at) & 0xffff) == HEADER_END)
			return 0;
		if (tag_size < 8 || tag_size > end - at)
			return image_refuse(ROLE, "header tag's size", tag_size,
					    "the tag extends beyond the header");
		r = take_tag(file, at, tag_size, h);
		at += ALIGN_UP(tag_size, 8);
	}
	return r;
}

static int plan_flat(struct multiboot_plan *plan, const struct header *h, u64 size)
{
	u32 header_addr = h->address[2], load_addr = h->address[3];
	u64 back; /* bytes from the start of loading to the header */

	if (!h->has_entry)
		return image_refuse(ROLE, "header tag", HEADER_ADDRESS,
				    "an address tag needs an entry address tag, which is missing");
	back = load_addr == UINT32_MAX ? h->offset : (u64)header_addr - load_addr;
	if (back > h->offset || back > header_addr)
		return image_refuse(ROLE, "load_addr", load_addr,
				    "it does not match header_addr and the header's offset");
	return multiboot_flat_image(plan, size, h->offset - back, header_addr - back, h->address[4],
				    h->address[5]);
}

/* Relocate the whole image to free memory within the limits of the header. */
static int relocate(struct multiboot_plan *plan, const struct header *h,
		    const struct multiboot_input *in)
{
	struct elf_image *image = &plan->image;
	u32 min = h->relocatable[2], max = h->relocatable[3], align = h->relocatable[4];
	u64 low = ~0ull, high = 0, base;

	for (unsigned i = 0; i < image->nr_segments; i++) {
		low = MIN(low, image->segments[i].paddr);
		high = MAX(high, image->segments[i].paddr + image->segments[i].memsz);
	}
	if (align & (align - 1))
		return image_refuse(ROLE, "align", align, "not a power of two");
	base = memmap_find(
		in->map, &(struct memmap_query){.size = high - low,
						.align = align,
						.min = MAX(min, LOWEST_BASE),
						.max = (u64)max + 1,
						.top_down = h->relocatable[5] == RELOCATE_HIGHEST});
	if (base == MEMMAP_NONE) {
		pr_err("module " ROLE ": no %lu KiB of free memory for the kernel between min_addr "
		       "%#x and max_addr %#x; give the machine more memory\n",
		       (high - low + 1023) >> 10, min, max);
		return -ENOSPC;
	}
	for (unsigned i = 0; i < image->nr_segments; i++)
		image->segments[i].paddr += base - low;
	image->entry += base - low;
	image->load_base = base;
	return 0;
}

/* ---- The boot information ---- */

/* Append the head of a tag; @size: bytes of the whole tag. */
static void put_tag(struct info_writer *w, u32 type, u64 size)
{
	info_put(w, (u32[]){type, (u32)size}, 8, 8);
}

static void put_string(struct info_writer *w, u32 type, const char *string)
{
	u64 len = strlen(string) + 1;

	put_tag(w, type, 8 + len);
	info_put(w, string, len, 1);
}

static void put_modules(struct info_writer *w, const struct multiboot_plan *plan,
			const struct multiboot_input *in)
{
	for (unsigned i = 0; i < in->nr_modules; i++) {
		const struct guest_module *m = &in->modules[i];
		u64 start = plan->modules[i], len = strlen(m->string) + 1;

		put_tag(w, INFO_MODULE, 16 + len);
		info_put(w, (u32[]){(u32)start, (u32)(start + m->size)}, 8, 1);
		info_put(w, m->string, len, 1);
	}
}

static void put_memory(struct info_writer *w, const struct memmap *map)
{
	put_tag(w, INFO_BASIC_MEMINFO, 16);
	info_put(w, (u32[]){mem_lower(map), mem_upper(map)}, 8, 1);
	put_tag(w, INFO_MMAP, 16 + 24 * (u64)map->nr);
	info_put(w, (u32[]){24, 0}, 8, 1); /* entry_size, entry_version */
	for (unsigned i = 0; i < map->nr; i++) {
		info_put(w, (u64[]){map->r[i].base, map->r[i].size}, 16, 1);
		info_put(w, (u32[]){map->r[i].type, 0}, 8, 1);
	}
}

static void put_framebuffer(struct info_writer *w, const struct framebuffer *fb)
{
	bool rgb = fb->type == FB_RGB;

	put_tag(w, INFO_FRAMEBUFFER, rgb ? 38 : 32);
	info_put(w, &fb->address, 8, 1);
	info_put(w, (u32[]){fb->pitch, fb->width, fb->height}, 12, 1);
	info_put(w, (u8[]){fb->bpp, fb->type, 0, 0}, 4, 1);
	if (rgb)
		info_put(w, (struct fb_channel[]){fb->red, fb->green, fb->blue}, 6, 1);
}

/* ACPI: "Root System Description Pointer (RSDP) Structure". Version 1 has 20 bytes. */
static void put_rsdp(struct info_writer *w, const struct multiboot_input *in)
{
	const u8 *rsdp = in->rsdp ? gpa_to_ptr(in->vm, in->rsdp, 20) : NULL;
	const u8 *whole = rsdp && rsdp[15] >= 2 ? gpa_to_ptr(in->vm, in->rsdp, 36) : NULL;

	if (whole) {
		put_tag(w, INFO_ACPI_NEW, 8 + 36);
		info_put(w, whole, 36, 1);
	}
	if (rsdp) {
		put_tag(w, INFO_ACPI_OLD, 8 + 20);
		info_put(w, rsdp, 20, 1);
	}
}

static void write_info(struct info_writer *w, const struct multiboot_plan *plan,
		       const struct multiboot_input *in)
{
	const struct elf_image *image = &plan->image;
	u32 at = info_put(w, NULL, 8, 8);

	if (image->load_base) {
		put_tag(w, INFO_LOAD_BASE_ADDR, 12);
		info_put(w, &image->load_base, 4, 1);
	}
	put_string(w, INFO_CMDLINE, in->kernel.string);
	put_string(w, INFO_BOOT_LOADER_NAME, MULTIBOOT_LOADER);
	put_modules(w, plan, in);
	put_memory(w, in->map);
	put_framebuffer(w, in->fb ? in->fb : &multiboot_text_screen);
	put_rsdp(w, in);
	if (image->shnum) {
		put_tag(w, INFO_ELF_SECTIONS, 20 + (u64)image->shnum * image->shentsize);
		info_put(w, (u32[]){image->shnum, image->shentsize, image->shstrndx}, 12, 1);
		info_put_sections(w, plan, in);
	}
	put_tag(w, INFO_END, 8);
	if (w->block)
		*(u32 *)info_at(w, at) = (u32)(w->gpa + w->used - at);
}

int multiboot2_load(const struct multiboot_input *in, struct multiboot_entry *entry)
{
	static struct multiboot_plan plan;
	const u8 *file = multiboot_file(in, ROLE);
	struct header h;
	int r;

	memset(&plan, 0, sizeof(plan));
	plan.role = ROLE;
	if (!file)
		return -EFAULT;
	r = read_header(file, in->kernel.size, &h);
	if (!r)
		r = h.has_address ? plan_flat(&plan, &h, in->kernel.size)
				  : elf_parse(file, in->kernel.size, ROLE, &plan.image);
	if (!r && h.has_entry)
		plan.image.entry = h.entry_addr[2];
	if (!r && h.has_relocatable)
		r = relocate(&plan, &h, in);
	if (!r)
		r = multiboot_load(&plan, in, write_info);
	*entry = multiboot_entry(&plan, BOOTLOADER_MAGIC);
	return r;
}
