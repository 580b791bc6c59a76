/* SPDX-License-Identifier: MIT */
/*
 * The parser of the multiboot 2 boot information. See boot_info.h.
 */
#include "boot/boot_info.h"

#include "bits.h"
#include "boot/mbi.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"

struct mmap_entry {
	u64 base, length;
	u32 type, reserved;
} __packed;

struct tag_mmap {
	u32 type, size, entry_size, entry_version;
	u8 entries[];
} __packed;

/*
 * Copy the string at @src, which should be terminated within @n bytes, into bi->text, and point
 * @out at the copy. Returns 0; or, with an error logged, -EINVAL when it is not, or -E2BIG when
 * there is no room for it.
 */
static int copy_text(struct boot_info *bi, const char *what, const char **out, const void *src,
		     size_t n)
{
	const char *text = src;
	size_t len = 0, room = sizeof(bi->text) - bi->text_used;

	while (len < n && text[len])
		len++;
	if (len == n) {
		pr_err("boot information: the %s has no terminating NUL within its tag of %zu "
		       "bytes; it is corrupt: is enough memory free for the boot loader?\n",
		       what, n);
		return -EINVAL;
	}
	if (len >= room) {
		pr_err("boot information: the %s is %zu characters long, but of the %zu for all "
		       "command lines and modules' strings only %zu are left; make them shorter in "
		       "the boot loader's configuration\n",
		       what, len, sizeof(bi->text), room ? room - 1 : 0);
		return -E2BIG;
	}
	*out = memcpy(bi->text + bi->text_used, text, len);
	bi->text[bi->text_used + len] = '\0';
	bi->text_used += (u32)len + 1;
	return 0;
}

static int parse_cmdline(struct boot_info *bi, const struct tag *tag)
{
	return copy_text(bi, "command line", &bi->cmdline, tag->data, tag->size - sizeof(*tag));
}

static int parse_module(struct boot_info *bi, const struct tag *tag)
{
	const struct tag_module *t = (const void *)tag;
	struct boot_module *m;
	int err;

	if (t->mod_end < t->mod_start) {
		pr_err("boot information: a module starts at %#x but ends at %#x; it is corrupt: "
		       "is enough memory free for the boot loader?\n",
		       t->mod_start, t->mod_end);
		return -EINVAL;
	}
	if (bi->nr_modules == BOOT_MODULES) {
		pr_err("boot information: there are more than %u modules, the first that is too "
		       "many is at %#x; give fewer in the boot loader's configuration\n",
		       BOOT_MODULES, t->mod_start);
		return -E2BIG;
	}
	m = &bi->modules[bi->nr_modules];
	m->start = t->mod_start;
	m->size = t->mod_end - t->mod_start;
	err = copy_text(bi, "module's string", &m->string, t->string, t->size - sizeof(*t));
	if (!err)
		bi->nr_modules++;
	return err;
}

static int add_range(struct boot_info *bi, const struct mmap_entry *e)
{
	u32 type = mem_known_type(e->type);

	if (!e->length || e->base >= MEM_LIMIT || e->length > MEM_LIMIT - e->base) {
		pr_warn("boot information: the memory map has an invalid range, %#lx bytes of %s "
			"at %#lx; skipped\n",
			e->length, mem_type_name(type), e->base);
		return 0;
	}
	if (bi->nr_mem == BOOT_MEM_RANGES) {
		pr_err("boot information: the memory map has more than %u ranges; build Glasshouse "
		       "with a larger BOOT_MEM_RANGES for this machine\n",
		       BOOT_MEM_RANGES);
		return -E2BIG;
	}
	bi->mem[bi->nr_mem++] =
		(struct mem_range){.base = e->base, .size = e->length, .type = type};
	return 0;
}

static int parse_mmap(struct boot_info *bi, const struct tag *tag)
{
	const struct tag_mmap *t = (const void *)tag;
	u32 left = t->size - sizeof(*t);
	const u8 *p = t->entries;
	int err;

	if (t->entry_size < sizeof(struct mmap_entry)) {
		pr_err("boot information: the memory map's entry_size is %u, less than %zu; the "
		       "boot loader does not follow multiboot 2; use GRUB 2\n",
		       t->entry_size, sizeof(struct mmap_entry));
		return -EINVAL;
	}
	for (; left >= t->entry_size; left -= t->entry_size, p += t->entry_size) {
		err = add_range(bi, (const void *)p);
		if (err)
			return err;
	}
	if (left)
		pr_warn("boot information: the memory map ends with a part of an entry, %u of %u "
			"bytes; skipped\n",
			left, t->entry_size);
	return 0;
}

static int parse_framebuffer(struct boot_info *bi, const struct tag *tag)
{
	const struct tag_framebuffer *t = (const void *)tag;
	struct framebuffer fb = {.address = t->address,
				 .pitch = t->pitch,
				 .width = t->width,
				 .height = t->height,
				 .bpp = t->bpp,
				 .type = t->fb_type};
	u64 line = (u64)fb.width * (fb.type == FB_TEXT ? 2 : (fb.bpp + 7u) / 8);

	if (!fb.address || !fb.width || !fb.height || fb.type > FB_TEXT || fb.pitch < line ||
	    fb.address >= MEM_LIMIT || (u64)fb.pitch * fb.height > MEM_LIMIT - fb.address) {
		pr_warn("boot information: an invalid framebuffer (type %u at %#lx, %ux%u, %u "
			"bits, pitch %u); skipped\n",
			fb.type, fb.address, fb.width, fb.height, fb.bpp, fb.pitch);
		return 0;
	}
	if (fb.type == FB_RGB) {
		if (t->size < sizeof(*t) + 3 * sizeof(t->channels[0])) {
			pr_warn("boot information: an RGB framebuffer without its colour masks "
				"(tag of %u bytes); skipped\n",
				t->size);
			return 0;
		}
		fb.red = t->channels[0];
		fb.green = t->channels[1];
		fb.blue = t->channels[2];
	}
	bi->fb = fb;
	return 0;
}

static int parse_rsdp(struct boot_info *bi, const struct tag *tag)
{
	u32 n = tag->size - sizeof(*tag);

	if (tag->type == TAG_ACPI_OLD) {
		if (bi->rsdp_length > BOOT_RSDP_V1_LENGTH)
			return 0; /* version 2 is preferred */
		n = MIN(n, BOOT_RSDP_V1_LENGTH);
	}
	bi->rsdp_length = MIN(n, sizeof(bi->rsdp));
	memcpy(bi->rsdp, tag->data, bi->rsdp_length);
	return 0;
}

static int parse_efi_boot_services(struct boot_info *bi, const struct tag *tag)
{
	(void)tag;
	bi->efi_boot_services = true;
	return 0;
}

static const struct {
	u32 type, min_size; /* min_size: bytes, including struct tag */
	const char *name;
	int (*parse)(struct boot_info *bi, const struct tag *tag);
} parsers[] = {
	{TAG_CMDLINE, sizeof(struct tag), "command line", parse_cmdline},
	{TAG_MODULE, sizeof(struct tag_module), "module", parse_module},
	{TAG_MMAP, sizeof(struct tag_mmap), "memory map", parse_mmap},
	{TAG_FRAMEBUFFER, sizeof(struct tag_framebuffer), "framebuffer", parse_framebuffer},
	{TAG_ACPI_OLD, sizeof(struct tag) + BOOT_RSDP_V1_LENGTH, "ACPI old RSDP", parse_rsdp},
	{TAG_ACPI_NEW, sizeof(struct tag) + 36, "ACPI new RSDP", parse_rsdp},
	{TAG_EFI_BS, sizeof(struct tag), "EFI boot services", parse_efi_boot_services},
};

static int parse_tag(struct boot_info *bi, const struct tag *tag)
{
	for (unsigned i = 0; i < ARRAY_SIZE(parsers); i++) {
		if (parsers[i].type != tag->type)
			continue;
		if (tag->size < parsers[i].min_size) {
			pr_warn("boot information: the tag \"%s\" (type %u) has size %u, less than "
				"%u; skipped\n",
				parsers[i].name, tag->type, tag->size, parsers[i].min_size);
			return 0;
		}
		return parsers[i].parse(bi, tag);
	}
	return 0; /* not needed */
}

static int parse_tags(struct boot_info *bi, const u8 *mbi, u64 total)
{
	u64 pos = sizeof(struct mbi_header);
	int err;

	while (total - pos >= sizeof(struct tag)) {
		const struct tag *tag = (const void *)(mbi + pos);

		if (tag->size < sizeof(*tag) || tag->size > total - pos) {
			pr_err("boot information: the tag of type %u at offset %lu has size %u, "
			       "but %lu bytes are left; it is corrupt: is enough memory free for "
			       "the boot loader?\n",
			       tag->type, pos, tag->size, total - pos);
			return -EINVAL;
		}
		if (tag->type == TAG_END)
			return 0;
		err = parse_tag(bi, tag);
		if (err)
			return err;
		pos += ALIGN_UP(tag->size, 8);
		if (pos > total)
			break;
	}
	pr_warn("boot information: no end tag within its %lu bytes\n", total);
	return 0;
}

int boot_info_parse(struct boot_info *bi, u32 magic, const void *mbi, size_t max)
{
	struct mbi_header head;
	int err;

	memset(bi, 0, sizeof(*bi));
	bi->cmdline = "";
	bi->cmdline_from = "the boot loader's configuration";
	if (magic != MULTIBOOT2_BOOTLOADER_MAGIC) {
		pr_err("boot information: EAX is %#x at entry, not %#x: Glasshouse was not loaded "
		       "by multiboot 2; use GRUB's command multiboot2\n",
		       magic, MULTIBOOT2_BOOTLOADER_MAGIC);
		return -EINVAL;
	}
	if (max < sizeof(head)) {
		pr_err("boot information: only %zu bytes are readable\n", max);
		return -EINVAL;
	}
	memcpy(&head, mbi, sizeof(head));
	if (head.total_size < sizeof(head) || head.total_size > max) {
		pr_err("boot information: total_size is %u, not from %zu to %zu: it is corrupt, or "
		       "EBX did not point to it\n",
		       head.total_size, sizeof(head), max);
		return -EINVAL;
	}
	err = parse_tags(bi, mbi, head.total_size);
	if (err)
		return err;
	if (!bi->nr_mem && !bi->efi_boot_services) {
		pr_err("boot information: no memory map; the boot loader must pass one (tag type "
		       "%u)\n",
		       TAG_MMAP);
		return -ENOENT;
	}
	return 0;
}

void boot_info_check_framebuffer(struct boot_info *bi)
{
	u64 size = (u64)bi->fb.pitch * bi->fb.height;

	for (u32 i = 0; bi->fb.address && i < bi->nr_mem; i++) {
		const struct mem_range *m = &bi->mem[i];

		if (m->type != MEM_RAM || !ranges_overlap(bi->fb.address, size, m->base, m->size))
			continue;
		pr_warn("boot information: the framebuffer at %#lx, of %lu bytes, is in RAM by the "
			"memory map; skipped\n",
			bi->fb.address, size);
		bi->fb.address = 0;
	}
}
