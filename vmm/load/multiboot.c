/* SPDX-License-Identifier: MIT */
/*
 * The common part of multiboot 1 and 2: see multiboot.h.
 */
#include "vmm/load/multiboot.h"

#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/x86/long_mode.h"
#include "vmm/memslot.h"

#define LOWEST_INFO KIB(64) /* above the BIOS data, as other loaders do */
#define AVOID_MAX   (ELF_SEGMENTS + 2 * MULTIBOOT_MODULES + 4)

const struct framebuffer multiboot_text_screen = {
	.address = 0xb8000, .pitch = 160, .width = 80, .height = 25, .bpp = 16, .type = FB_TEXT};

/* Memory that is in use: sources, and destinations chosen so far. The kernel's segments come first.
 */
struct avoid_list {
	struct mem_range r[AVOID_MAX];
	unsigned nr, nr_segments;
};

static void avoid(struct avoid_list *list, u64 base, u64 size)
{
	if (size)
		list->r[list->nr++] = (struct mem_range){.base = base, .size = size};
}

static bool is_for_segments(const struct avoid_list *list, u64 base, u64 size)
{
	for (unsigned i = 0; i < list->nr_segments; i++)
		if (ranges_overlap(base, size, list->r[i].base, list->r[i].size))
			return true;
	return false;
}

static void *guest_ptr(const struct multiboot_input *in, const char *role, u64 gpa, u64 len)
{
	void *p = gpa_to_ptr(in->vm, gpa, len);

	if (!p)
		pr_err("module %s: %lu bytes at guest-physical %#lx are not in memory that the "
		       "firmware reports; check the boot loader\n",
		       role, len, gpa);
	return p;
}

const void *multiboot_file(const struct multiboot_input *in, const char *role)
{
	if (!in->kernel.size) {
		pr_err("module %s: the file is empty; check the file and the boot loader's "
		       "configuration\n",
		       role);
		return NULL;
	}
	return guest_ptr(in, role, in->kernel.start, in->kernel.size);
}

u32 info_put(struct info_writer *w, const void *data, u64 len, u64 align)
{
	u64 at = ALIGN_UP(w->used, align);

	if (w->block) {
		memset(w->block + w->used, 0, at - w->used);
		if (data)
			memcpy(w->block + at, data, len);
		else
			memset(w->block + at, 0, len);
	}
	w->used = at + len;
	return (u32)(w->gpa + at);
}

void *info_at(const struct info_writer *w, u32 gpa)
{
	return w->block ? w->block + (gpa - w->gpa) : NULL;
}

int multiboot_flat_image(struct multiboot_plan *plan, u64 file_size, u64 offset, u64 load,
			 u64 load_end, u64 bss_end)
{
	struct elf_segment *s = &plan->image.segments[0];

	if (offset > file_size)
		return image_refuse(plan->role, "load_addr", load,
				    "it lies before the start of the file");
	if ((load_end && load_end < load) || (load_end && load_end - load > file_size - offset))
		return image_refuse(plan->role, "load_end_addr", load_end,
				    "not in the file, which may be truncated");
	s->offset = offset;
	s->paddr = load;
	s->filesz = load_end ? load_end - load : file_size - offset;
	if (bss_end && bss_end < load + s->filesz)
		return image_refuse(plan->role, "bss_end_addr", bss_end,
				    "below the end of the loaded data");
	s->memsz = bss_end ? bss_end - load : s->filesz;
	if (!s->memsz || s->memsz > GIB(4) - load)
		return image_refuse(plan->role, "load_addr", load,
				    "the image is empty, or ends above 4 GiB");
	plan->image.nr_segments = 1;
	return 0;
}

/* ---- Choosing addresses ---- */

static int no_room(const struct multiboot_plan *plan, const char *what, u64 size, u64 min)
{
	pr_err("module %s: no %lu KiB of free memory for the %s at or above %#lx; give the machine "
	       "more memory, or the kernel fewer modules\n",
	       plan->role, (size + 1023) >> 10, what, min);
	return -ENOSPC;
}

static u64 find(const struct multiboot_input *in, const struct avoid_list *list, u64 size, u64 min)
{
	return memmap_find(in->map, &(struct memmap_query){.size = size,
							   .align = PAGE_SIZE,
							   .min = min,
							   .max = GIB(4),
							   .avoid = list->r,
							   .nr_avoid = list->nr});
}

/* Check that there is free RAM at the fixed addresses of the segments. */
static int place_segments(struct multiboot_plan *plan, const struct multiboot_input *in,
			  struct avoid_list *list)
{
	for (unsigned i = 0; i < plan->image.nr_segments; i++) {
		const struct elf_segment *s = &plan->image.segments[i];
		struct memmap_query q = {
			.size = s->memsz, .min = s->paddr, .max = s->paddr + s->memsz};

		if (memmap_find(in->map, &q) != s->paddr) {
			pr_err("module %s: the kernel must be loaded at %#lx-%#lx, which is not "
			       "free "
			       "RAM of this machine; use a relocatable build of it\n",
			       plan->role, s->paddr, s->paddr + s->memsz - 1);
			return -ENOSPC;
		}
		avoid(list, s->paddr, s->memsz);
	}
	list->nr_segments = list->nr;
	return 0;
}

/*
 * A module stays where it is if it is page-aligned, below 4 GiB, and no segment of the kernel
 * overlaps it. Otherwise it moves to memory that no source or destination uses.
 */
static int place_modules(struct multiboot_plan *plan, const struct multiboot_input *in,
			 struct avoid_list *list)
{
	avoid(list, in->kernel.start, in->kernel.size);
	for (unsigned i = 0; i < in->nr_modules; i++)
		avoid(list, in->modules[i].start, in->modules[i].size);
	for (unsigned i = 0; i < in->nr_modules; i++) {
		const struct guest_module *m = &in->modules[i];

		plan->modules[i] = m->start;
		if (m->size && IS_ALIGNED(m->start, PAGE_SIZE) && m->start + m->size <= GIB(4) &&
		    !is_for_segments(list, m->start, m->size))
			continue;
		plan->modules[i] = find(in, list, MAX(m->size, 1), MIB(1));
		if (plan->modules[i] == MEMMAP_NONE)
			return no_room(plan, "module", m->size, MIB(1));
		avoid(list, plan->modules[i], MAX(m->size, 1));
	}
	return 0;
}

/* Sections outside of all segments (symbols, section names) are loaded too. */
static bool is_extra_section(const struct elf_section *s, u64 file_size)
{
	return s->type != SHT_NULL && s->type != SHT_NOBITS && !s->addr && s->size &&
	       s->offset <= file_size && s->size <= file_size - s->offset;
}

static int place_sections(struct multiboot_plan *plan, const struct multiboot_input *in,
			  const void *file, struct avoid_list *list)
{
	for (u32 i = 0; i < plan->image.shnum; i++) {
		struct elf_section s = elf_section(&plan->image, file, i);

		if (is_extra_section(&s, in->kernel.size))
			plan->sections_size += ALIGN_UP(s.size, 16);
	}
	if (!plan->sections_size)
		return 0;
	plan->sections = find(in, list, plan->sections_size, MIB(1));
	if (plan->sections == MEMMAP_NONE)
		return no_room(plan, "sections", plan->sections_size, MIB(1));
	avoid(list, plan->sections, plan->sections_size);
	return 0;
}

/* The kernel's file moves if its own segments overlap it. */
static int place_kernel_file(struct multiboot_plan *plan, const struct multiboot_input *in,
			     struct avoid_list *list)
{
	plan->kernel = in->kernel.start;
	if (!is_for_segments(list, plan->kernel, in->kernel.size))
		return 0;
	plan->kernel = find(in, list, in->kernel.size, MIB(1));
	if (plan->kernel == MEMMAP_NONE)
		return no_room(plan, "kernel's file", in->kernel.size, MIB(1));
	avoid(list, plan->kernel, in->kernel.size);
	return 0;
}

static int place_all(struct multiboot_plan *plan, const struct multiboot_input *in,
		     const void *file)
{
	static struct avoid_list list; /* large for a stack */
	int r;

	list.nr = 0;
	r = place_segments(plan, in, &list);
	if (!r)
		r = place_modules(plan, in, &list);
	if (!r)
		r = place_sections(plan, in, file, &list);
	if (!r)
		r = place_kernel_file(plan, in, &list);
	if (r)
		return r;
	plan->info = find(in, &list, plan->info_size, LOWEST_INFO);
	return plan->info == MEMMAP_NONE
		       ? no_room(plan, "information", plan->info_size, LOWEST_INFO)
		       : 0;
}

/* ---- Copying ---- */

static int move(const struct multiboot_input *in, const char *role, u64 to, u64 from, u64 size)
{
	void *dst, *src;

	if (to == from || !size)
		return 0;
	dst = guest_ptr(in, role, to, size);
	src = guest_ptr(in, role, from, size);
	if (!dst || !src)
		return -EFAULT;
	memmove(dst, src, size);
	return 0;
}

static int copy_sections(const struct multiboot_plan *plan, const struct multiboot_input *in)
{
	u64 to = plan->sections;
	const void *file = guest_ptr(in, plan->role, plan->kernel, in->kernel.size);
	int r = file ? 0 : -EFAULT;

	for (u32 i = 0; !r && i < plan->image.shnum; i++) {
		struct elf_section s = elf_section(&plan->image, file, i);

		if (!is_extra_section(&s, in->kernel.size))
			continue;
		r = move(in, plan->role, to, plan->kernel + s.offset, s.size);
		to += ALIGN_UP(s.size, 16);
	}
	return r;
}

static int copy_segment(const struct multiboot_plan *plan, const struct multiboot_input *in,
			const struct elf_segment *s)
{
	u8 *to = guest_ptr(in, plan->role, s->paddr, s->memsz);
	int r = to ? move(in, plan->role, s->paddr, plan->kernel + s->offset, s->filesz) : -EFAULT;

	if (!r)
		memset(to + s->filesz, 0, s->memsz - s->filesz);
	return r;
}

/* Move modules, file and sections in an order that overwrites no source before it is read. */
static int copy_all(const struct multiboot_plan *plan, const struct multiboot_input *in)
{
	int r = 0;

	for (unsigned i = 0; !r && i < in->nr_modules; i++)
		r = move(in, "module", plan->modules[i], in->modules[i].start, in->modules[i].size);
	if (!r)
		r = move(in, plan->role, plan->kernel, in->kernel.start, in->kernel.size);
	if (!r)
		r = copy_sections(plan, in);
	return r;
}

u32 info_put_sections(struct info_writer *w, const struct multiboot_plan *plan,
		      const struct multiboot_input *in)
{
	const struct elf_image *image = &plan->image;
	u64 size = (u64)image->shnum * image->shentsize, to = plan->sections;
	const u8 *file = w->block ? gpa_to_ptr(in->vm, plan->kernel, in->kernel.size) : NULL;
	u32 at = info_put(w, file ? file + image->shoff : NULL, size, 4);

	for (u32 i = 0; file && i < image->shnum; i++) {
		struct elf_section s = elf_section(image, file, i);

		if (!is_extra_section(&s, in->kernel.size))
			continue;
		elf_set_section_addr(image, info_at(w, at), i, to);
		to += ALIGN_UP(s.size, 16);
	}
	return at;
}

static void write_info(struct info_writer *w, const struct multiboot_plan *plan,
		       const struct multiboot_input *in, info_fn write)
{
	u64 gdt[BOOT_GDT_SIZE / 8];

	_Static_assert(sizeof(gdt) == MULTIBOOT_INFO_OFFSET, "the GDT comes first");
	fill_boot_gdt(gdt, false);
	info_put(w, gdt, sizeof(gdt), 8);
	write(w, plan, in);
}

int multiboot_load(struct multiboot_plan *plan, const struct multiboot_input *in, info_fn write)
{
	struct info_writer w = {.block = NULL};
	const void *file = multiboot_file(in, plan->role);
	int r;

	if (!file)
		return -EFAULT;
	if (in->nr_modules > MULTIBOOT_MODULES) {
		pr_err("module %s: %u modules for the kernel, at most %d can be passed to it\n",
		       plan->role, in->nr_modules, MULTIBOOT_MODULES);
		return -E2BIG;
	}
	write_info(&w, plan, in, write);
	plan->info_size = w.used;
	r = place_all(plan, in, file);
	if (!r)
		r = copy_all(plan, in);
	if (r)
		return r;
	/* This reads section headers from the file, which the segments may overwrite below. */
	w = (struct info_writer){.block = guest_ptr(in, plan->role, plan->info, plan->info_size),
				 .gpa = plan->info};
	if (!w.block)
		return -EFAULT;
	write_info(&w, plan, in, write);
	for (unsigned i = 0; !r && i < plan->image.nr_segments; i++)
		r = copy_segment(plan, in, &plan->image.segments[i]);
	return r;
}

struct multiboot_entry multiboot_entry(const struct multiboot_plan *plan, u32 magic)
{
	return (struct multiboot_entry){.eip = (u32)plan->image.entry,
					.eax = magic,
					.ebx = (u32)plan->info + MULTIBOOT_INFO_OFFSET,
					.gdt = plan->info};
}

/* ---- mem_lower and mem_upper ---- */

/* The end of the RAM range that contains @base; @base if there is none. */
static u64 ram_end(const struct memmap *map, u64 base)
{
	for (unsigned i = 0; i < map->nr; i++)
		if (map->r[i].type == MEM_RAM && base - map->r[i].base < map->r[i].size)
			return map->r[i].base + map->r[i].size;
	return base;
}

u32 mem_lower(const struct memmap *map)
{
	return (u32)(MIN(ram_end(map, 0), KIB(640)) >> 10);
}

u32 mem_upper(const struct memmap *map)
{
	return (u32)MIN((ram_end(map, MIB(1)) - MIB(1)) >> 10, UINT32_MAX);
}
