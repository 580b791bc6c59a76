/* SPDX-License-Identifier: MIT */
/*
 * Load Linux by its boot protocols: see linux.h. Field names are the protocol's.
 */
#include "vmm/load/linux.h"

#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/load/gather.h"
#include "vmm/memslot.h"

struct setup_header {
	u8 setup_sects;
	u16 root_flags;
	u32 syssize;
	u16 ram_size, vid_mode, root_dev, boot_flag;
	u8 jump_opcode, jump; /* jump: the header's end, counted from 202 */
	u32 header;
	u16 version;
	u32 realmode_swtch;
	u16 start_sys_seg, kernel_version;
	u8 type_of_loader, loadflags;
	u16 setup_move_size;
	u32 code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	u16 heap_end_ptr;
	u8 ext_loader_ver, ext_loader_type;
	u32 cmd_line_ptr, initrd_addr_max, kernel_alignment;
	u8 relocatable_kernel, min_alignment;
	u16 xloadflags;
	u32 cmdline_size, hardware_subarch;
	u64 hardware_subarch_data;
	u32 payload_offset, payload_length;
	u64 setup_data, pref_address;
	u32 init_size, handover_offset;
} __packed;

struct screen_info {
	u8 orig_x, orig_y;
	u16 ext_mem_k, orig_video_page;
	u8 orig_video_mode, orig_video_cols, flags, unused2;
	u16 orig_video_ega_bx, unused3;
	u8 orig_video_lines, orig_video_isvga;
	u16 orig_video_points, lfb_width, lfb_height, lfb_depth;
	u32 lfb_base, lfb_size;
	u16 cl_magic, cl_offset, lfb_linelength;
	struct {
		u8 size, pos;
	} __packed red, green, blue, rsvd;
	u16 vesapm_seg, vesapm_off, pages, vesa_attributes;
	u32 capabilities, ext_lfb_base;
	u8 reserved[2];
} __packed;

struct boot_e820_entry {
	u64 addr, size;
	u32 type;
} __packed;

#define E820_MAX_ENTRIES_ZEROPAGE 128

struct boot_params {
	struct screen_info screen_info;
	u8 pad040[0x30];
	u64 acpi_rsdp_addr;
	u8 pad078[0x170];
	u8 e820_entries;
	u8 pad1e9[8];
	struct setup_header hdr;
	u8 pad268[0x68];
	struct boot_e820_entry e820_table[E820_MAX_ENTRIES_ZEROPAGE];
	u8 padcd0[0x330];
} __packed;

struct setup_data {
	u64 next;
	u32 type, len;
	struct boot_e820_entry e820[];
} __packed;

#define SETUP_E820_EXT    1
#define HDR_OFFSET        0x1f1
#define HDR_MAGIC         0x53726448 /* "HdrS" */
#define LOADED_HIGH       BIT(0)
#define CAN_USE_HEAP      BIT(7)
#define XLF_KERNEL_64     BIT(0)
#define TYPE_OF_LOADER    0xff /* no assigned ID */
#define VIDEO_TYPE_VLFB   0x23
#define CAPABILITY_64BIT  BIT(1)            /* ext_lfb_base is in use */
#define ENTRY_64          0x200             /* from the load address */
#define PLACE_LIMIT       IDENTITY_MAP_SIZE /* the loader places nothing above it */
#define SETUP_DATA_OFFSET 0x100             /* in the GDT's page */
#define SETUP_ADDRESS     0x90000
#define SETUP_MAX         0x8000 /* 63 sectors, and the boot sector */

_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - HDR_OFFSET, "setup_header");
_Static_assert(offsetof(struct boot_params, acpi_rsdp_addr) == 0x70 &&
		       offsetof(struct boot_params, e820_entries) == 0x1e8 &&
		       offsetof(struct boot_params, hdr) == HDR_OFFSET &&
		       offsetof(struct boot_params, e820_table) == 0x2d0 &&
		       sizeof(struct boot_params) == 4096,
	       "boot_params");
_Static_assert(sizeof(struct screen_info) == 0x40, "screen_info");
_Static_assert(SETUP_DATA_OFFSET + sizeof(struct setup_data) +
			       (MEMMAP_RANGES - E820_MAX_ENTRIES_ZEROPAGE) *
				       sizeof(struct boot_e820_entry) <=
		       PAGE_SIZE,
	       "the GDT's page holds setup_data too");

static int refuse(const char *field, u64 value, const char *why)
{
	pr_err("module linux: %s is %#lx: %s; give a bzImage (Debian: /boot/vmlinuz-*)\n", field,
	       value, why);
	return -ENOEXEC;
}

/* Bytes of the header up to the last field of @version that is used here. */
static size_t header_size(u16 version)
{
	if (version >= 0x20c)
		return sizeof(struct setup_header);
	if (version >= 0x20a)
		return offsetof(struct setup_header, handover_offset);
	if (version >= 0x206)
		return offsetof(struct setup_header, hardware_subarch);
	return offsetof(struct setup_header, kernel_alignment);
}

/* Check the fields that identify a kernel image; the others mean nothing without them. */
static int check_kind(const struct setup_header *h)
{
	if (h->boot_flag != 0xaa55)
		return refuse("boot_flag", h->boot_flag, "not 0xaa55, so this is no Linux kernel");
	if (h->header != HDR_MAGIC)
		return refuse("header", h->header, "not \"HdrS\", so this is no Linux kernel");
	if (h->version < 0x203)
		return refuse("version", h->version, "a boot protocol older than 0x203 (of 1999)");
	if (0x202u + h->jump < HDR_OFFSET + header_size(h->version))
		return refuse("jump", h->jump,
			      "the setup header is shorter than its version requires");
	if (!(h->loadflags & LOADED_HIGH))
		return refuse("loadflags", h->loadflags, "a zImage, which loads below 1 MiB");
	return 0;
}

/* Fill in the fields that older protocol versions lack. Protocol: "The Real-Mode Kernel Header". */
static void fill_defaults(struct setup_header *h, u64 kernel_size)
{
	if (h->version < 0x205)
		h->relocatable_kernel = 0;
	if (h->version < 0x206)
		h->cmdline_size = 255;
	if (h->version < 0x20a) {
		h->pref_address = MIB(1);
		h->init_size =
			(u32)MIN(3 * kernel_size, UINT32_MAX); /* room to decompress itself */
	}
	if (h->version < 0x20c)
		h->xloadflags = 0;
}

/* Check the fields that determine the load address. */
static int check_placement(const struct setup_header *h)
{
	u32 align = h->kernel_alignment;

	if (!h->init_size)
		return refuse("init_size", 0, "the kernel does not say how much memory it needs");
	if (h->pref_address < MIB(1) || h->pref_address >= PLACE_LIMIT ||
	    !IS_ALIGNED(h->pref_address, PAGE_SIZE))
		return refuse("pref_address", h->pref_address,
			      "not a page address between 1 MiB and 4 GiB");
	if (h->relocatable_kernel && (align < PAGE_SIZE || (align & (align - 1))))
		return refuse("kernel_alignment", align, "not a power of two, 4096 or larger");
	return 0;
}

int linux_check(const void *image, size_t size, struct linux_image *out)
{
	struct setup_header h;
	int err;

	memset(out, 0, sizeof(*out));
	if (size < HDR_OFFSET + LINUX_SETUP_HEADER_MAX)
		return refuse("size", size, "too small for a kernel image");
	memcpy(&h, (const u8 *)image + HDR_OFFSET, sizeof(h));
	err = check_kind(&h);
	if (err)
		return err;
	fill_defaults(&h, size);
	err = check_placement(&h);
	if (err)
		return err;

	out->setup_header_size = MIN(0x202u + h.jump - HDR_OFFSET, LINUX_SETUP_HEADER_MAX);
	memcpy(out->setup_header, (const u8 *)image + HDR_OFFSET, out->setup_header_size);
	out->version = h.version;
	out->setup_size = ((h.setup_sects ? h.setup_sects : 4) + 1) * 512;
	if (size < out->setup_size + ENTRY_64 + 16)
		return refuse("setup_sects", h.setup_sects,
			      "the file ends before the protected-mode kernel");
	out->kernel_size = size - out->setup_size;
	if (out->kernel_size + 15 < 16 * (u64)h.syssize)
		return refuse("syssize", h.syssize,
			      "the file has fewer than this many 16-byte units: it is truncated");
	out->memory_size = ALIGN_UP(MAX(h.init_size, out->kernel_size), PAGE_SIZE);
	out->pref_address = h.pref_address;
	out->relocatable = h.relocatable_kernel;
	out->alignment = h.kernel_alignment;
	out->initrd_max = h.initrd_addr_max;
	out->cmdline_size = h.cmdline_size;
	out->long_mode = h.xloadflags & XLF_KERNEL_64;
	return 0;
}

static int no_room(const struct memmap *map, const char *what, u64 size, u64 min, u64 max)
{
	pr_err("module linux: no %lu KiB of free memory for the %s between %#lx and %#lx (RAM ends "
	       "at %#lx); give the machine more memory\n",
	       size >> 10, what, min, max, memmap_ram_top(map));
	return -ENOSPC;
}

static int plan_kernel(const struct memmap *map, struct linux_plan *plan)
{
	const struct linux_image *image = &plan->image;
	struct memmap_query q = {.size = image->memory_size,
				 .min = image->pref_address,
				 .max = image->pref_address + image->memory_size};

	/* The kernel may overlap the modules: linux_load() moves them first. */
	if (q.max <= PLACE_LIMIT)
		plan->kernel = memmap_find(map, &q);
	else
		plan->kernel = MEMMAP_NONE;
	if (plan->kernel == MEMMAP_NONE && image->relocatable) {
		q.align = image->alignment;
		q.max = PLACE_LIMIT;
		plan->kernel = memmap_find(map, &q);
	}
	if (plan->kernel == MEMMAP_NONE)
		return no_room(map, image->relocatable ? "kernel" : "kernel (not relocatable)",
			       q.size, q.min, q.max);
	return 0;
}

/* Memory that later parts must not overlap. */
struct avoid_list {
	struct mem_range r[3 + LINUX_INITRD_FILES];
	unsigned nr;
};

static void avoid(struct avoid_list *list, u64 base, u64 size)
{
	list->r[list->nr++] = (struct mem_range){.base = base, .size = size};
}

/* The size of the files of the initrd together; 0, with an error logged, when that is too much. */
static u64 initrd_size(const struct linux_input *in)
{
	u64 size = 0;

	if (in->nr_initrd > LINUX_INITRD_FILES) {
		pr_err("module initrd: there are %u, but at most %u can be brought together; give "
		       "fewer\n",
		       in->nr_initrd, LINUX_INITRD_FILES);
		return 0;
	}
	for (unsigned i = 0; i < in->nr_initrd; i++) {
		size = gather_size(size, MIN(in->initrd[i].size, GIB(4)));
		if (size > UINT32_MAX - PAGE_SIZE) {
			pr_err("module initrd: %lu bytes exceed the boot protocol's limit of 4 "
			       "GiB\n",
			       size);
			return 0;
		}
	}
	return size;
}

/*
 * Add the initrd's source and destination ranges to @list. The destination does not overlap the
 * sources if there is such a place, which saves gather() work; otherwise it may.
 */
static int plan_initrd(const struct memmap *map, const struct linux_input *in,
		       struct avoid_list *list, struct linux_plan *plan)
{
	struct memmap_query q = {.size = ALIGN_UP(plan->initrd_size, PAGE_SIZE),
				 .align = PAGE_SIZE,
				 .min = MIB(1),
				 .max = MIN(plan->image.initrd_max + 1, PLACE_LIMIT),
				 .avoid = list->r,
				 .top_down = true};
	unsigned nr = list->nr;

	for (unsigned i = 0; i < in->nr_initrd; i++)
		avoid(list, in->initrd[i].base, in->initrd[i].size);
	q.nr_avoid = list->nr;
	plan->initrd = memmap_find(map, &q);
	if (plan->initrd == MEMMAP_NONE) {
		q.nr_avoid = nr;
		plan->initrd = memmap_find(map, &q);
	}
	if (plan->initrd == MEMMAP_NONE)
		return no_room(map, "initrd", q.size, q.min, q.max);
	avoid(list, plan->initrd, q.size);
	return 0;
}

/* Place one block: zero page, GDT and setup_data, page tables, command line. */
static int plan_low(const struct memmap *map, const struct avoid_list *list, size_t cmdline_len,
		    struct linux_plan *plan)
{
	struct memmap_query q = {
		.size = (2 + IDENTITY_MAP_PAGES) * PAGE_SIZE + ALIGN_UP(cmdline_len + 1, PAGE_SIZE),
		.align = PAGE_SIZE,
		/*
		 * Above the BIOS data, and as low as possible: Linux puts a trampoline just below
		 * the EBDA while it still runs on these page tables.
		 */
		.min = KIB(64),
		.max = PLACE_LIMIT,
		.avoid = list->r,
		.nr_avoid = list->nr};

	plan->boot_params = memmap_find(map, &q);
	if (plan->boot_params == MEMMAP_NONE)
		return no_room(map, "boot parameters", q.size, q.min, q.max);
	plan->gdt = plan->boot_params + PAGE_SIZE;
	plan->setup_data = plan->gdt + SETUP_DATA_OFFSET;
	plan->cr3 = plan->gdt + PAGE_SIZE;
	plan->cmdline = plan->cr3 + IDENTITY_MAP_PAGES * PAGE_SIZE;
	plan->gdt_limit = BOOT_GDT_SIZE - 1;
	return 0;
}

/*
 * Place the real-mode code, its heap and stack, and the command line at 90000h, as other loaders
 * do, or below when the firmware uses that memory. Protocol: "Sample Boot Configuration".
 */
static int plan_setup(const struct memmap *map, const struct avoid_list *list, size_t cmdline_len,
		      struct linux_plan *plan)
{
	struct memmap_query q = {.size = LINUX_SETUP_STACK + cmdline_len + 1,
				 .align = PAGE_SIZE,
				 .min = KIB(64),
				 .avoid = list->r,
				 .nr_avoid = list->nr,
				 .top_down = true};

	if (plan->image.setup_size > SETUP_MAX)
		return refuse("setup_sects", plan->image.setup_size / 512 - 1,
			      "the protocol allows less real-mode code");
	q.max = SETUP_ADDRESS + ALIGN_UP(q.size, PAGE_SIZE);
	plan->setup = memmap_find(map, &q);
	if (plan->setup == MEMMAP_NONE)
		return no_room(map, "real-mode code", q.size, q.min, q.max);
	plan->cmdline = plan->setup + LINUX_SETUP_STACK;
	return 0;
}

int linux_plan(const struct linux_image *image, const struct memmap *map,
	       const struct linux_input *in, struct linux_plan *plan)
{
	size_t cmdline_len = strlen(in->cmdline);
	static struct avoid_list list; /* large for a stack */
	int err;

	list.nr = 0;
	memset(plan, 0, sizeof(*plan));
	plan->image = *image;
	if (cmdline_len > image->cmdline_size) {
		pr_err("module linux: the command line has %zu characters, this kernel takes %u; "
		       "make it shorter in the boot loader's configuration\n",
		       cmdline_len, image->cmdline_size);
		return -E2BIG;
	}
	err = plan_kernel(map, plan);
	if (err)
		return err;
	plan->entry = plan->kernel + (image->long_mode ? ENTRY_64 : 0);

	avoid(&list, plan->kernel, image->memory_size);
	avoid(&list, in->kernel, image->setup_size + image->kernel_size);
	if (in->nr_initrd) {
		plan->initrd_size = initrd_size(in);
		err = plan->initrd_size ? plan_initrd(map, in, &list, plan) : -E2BIG;
		if (err)
			return err;
	}
	return in->real_mode ? plan_setup(map, &list, cmdline_len, plan)
			     : plan_low(map, &list, cmdline_len, plan);
}

static void fill_text_screen(struct screen_info *si)
{
	si->orig_y = 24; /* below the existing text */
	si->orig_video_mode = 3;
	si->orig_video_cols = 80;
	si->orig_video_lines = 25;
	si->orig_video_isvga = 1;
	si->orig_video_points = 16;
}

static void fill_screen_info(struct screen_info *si, const struct framebuffer *fb)
{
	unsigned top;

	if (!fb || !fb->address || fb->type != FB_RGB || fb->pitch > UINT16_MAX ||
	    fb->width > UINT16_MAX || fb->height > UINT16_MAX) {
		fill_text_screen(si);
		return;
	}
	si->orig_video_isvga = VIDEO_TYPE_VLFB;
	si->lfb_width = (u16)fb->width;
	si->lfb_height = (u16)fb->height;
	si->lfb_depth = fb->bpp;
	si->lfb_base = (u32)fb->address;
	si->ext_lfb_base = (u32)(fb->address >> 32);
	si->capabilities = si->ext_lfb_base ? CAPABILITY_64BIT : 0;
	si->lfb_size = (u32)(ALIGN_UP((u64)fb->pitch * fb->height, KIB(64)) / KIB(64));
	si->lfb_linelength = (u16)fb->pitch;
	si->red.size = fb->red.size;
	si->red.pos = fb->red.position;
	si->green.size = fb->green.size;
	si->green.pos = fb->green.position;
	si->blue.size = fb->blue.size;
	si->blue.pos = fb->blue.position;
	/* Linux computes the pixel size from the highest channel, so report the unused bits too. */
	top = MAX(si->red.pos + si->red.size,
		  MAX(si->green.pos + si->green.size, si->blue.pos + si->blue.size));
	if (top < fb->bpp) {
		si->rsvd.pos = (u8)top;
		si->rsvd.size = (u8)(fb->bpp - top);
	}
}

static void fill_e820(struct boot_e820_entry *to, const struct mem_range *from, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		to[i] = (struct boot_e820_entry){
			.addr = from[i].base, .size = from[i].size, .type = from[i].type};
}

/* Fill in the fields that the loader sets in all protocols. */
static void fill_header(struct setup_header *h, const struct linux_plan *plan)
{
	h->type_of_loader = TYPE_OF_LOADER;
	h->ext_loader_type = 0;
	h->ext_loader_ver = 0;
	h->code32_start = (u32)plan->kernel;
	h->cmd_line_ptr = (u32)plan->cmdline;
	h->ramdisk_image = (u32)plan->initrd;
	h->ramdisk_size = (u32)plan->initrd_size;
}

static void fill_boot_params(struct boot_params *bp, struct setup_data *ext,
			     const struct linux_plan *plan, const struct linux_input *in,
			     const struct memmap *e820)
{
	unsigned nr = MIN(e820->nr, E820_MAX_ENTRIES_ZEROPAGE), more = e820->nr - nr;

	memset(bp, 0, sizeof(*bp));
	memcpy((u8 *)bp + HDR_OFFSET, plan->image.setup_header, plan->image.setup_header_size);
	fill_header(&bp->hdr, plan);
	bp->acpi_rsdp_addr = in->rsdp;
	fill_screen_info(&bp->screen_info, in->fb);

	bp->e820_entries = (u8)nr;
	fill_e820(bp->e820_table, e820->r, nr);
	bp->hdr.setup_data = 0;
	if (more) {
		*ext = (struct setup_data){.type = SETUP_E820_EXT,
					   .len = (u32)(more * sizeof(ext->e820[0]))};
		fill_e820(ext->e820, e820->r + nr, more);
		bp->hdr.setup_data = plan->setup_data;
	}
}

static void *guest_ptr(struct vm *vm, u64 gpa, u64 len, const char *what)
{
	void *p = gpa_to_ptr(vm, gpa, len);

	if (!p)
		pr_err("module linux: the %s, %lu bytes at guest-physical %#lx, cannot be reached: "
		       "a defect of Glasshouse, please report it\n",
		       what, len, gpa);
	return p;
}

static int load_setup(struct vm *vm, const struct linux_plan *plan, const struct linux_input *in)
{
	const void *src = guest_ptr(vm, in->kernel, plan->image.setup_size, "kernel image");
	u8 *dst = guest_ptr(vm, plan->setup, LINUX_SETUP_STACK + strlen(in->cmdline) + 1,
			    "real-mode code");
	struct setup_header *h;

	if (!src || !dst)
		return -EFAULT;
	memset(dst, 0, LINUX_SETUP_STACK);
	memcpy(dst, src, plan->image.setup_size);
	h = (void *)(dst + HDR_OFFSET);
	fill_header(h, plan);
	h->loadflags |= CAN_USE_HEAP;
	h->heap_end_ptr = LINUX_SETUP_STACK - 0x200; /* defined as end - 200h */
	strlcpy((char *)dst + LINUX_SETUP_STACK, in->cmdline, strlen(in->cmdline) + 1);
	return 0;
}

static int load_boot_params(struct vm *vm, const struct linux_plan *plan,
			    const struct linux_input *in, const struct memmap *e820)
{
	u64 cmdline_size = strlen(in->cmdline) + 1;
	u8 *block = guest_ptr(vm, plan->boot_params,
			      plan->cmdline + cmdline_size - plan->boot_params, "boot parameters");

	if (!block)
		return -EFAULT;
	fill_boot_params((void *)block, (void *)(block + (plan->setup_data - plan->boot_params)),
			 plan, in, e820);
	fill_boot_gdt((void *)(block + (plan->gdt - plan->boot_params)), plan->image.long_mode);
	fill_identity_map((void *)(block + (plan->cr3 - plan->boot_params)), plan->cr3);
	memcpy(block + (plan->cmdline - plan->boot_params), in->cmdline, cmdline_size);
	return 0;
}

static int load_initrd(struct vm *vm, const struct linux_plan *plan, const struct linux_input *in)
{
	static struct gather_piece pieces[LINUX_INITRD_FILES];
	u8 *to = guest_ptr(vm, plan->initrd, ALIGN_UP(plan->initrd_size, PAGE_SIZE),
			   "initrd's place");

	for (unsigned i = 0; i < in->nr_initrd; i++) {
		pieces[i] = (struct gather_piece){
			.from = guest_ptr(vm, in->initrd[i].base, in->initrd[i].size, "initrd"),
			.size = in->initrd[i].size};
		if (!pieces[i].from)
			return -EFAULT;
	}
	if (!to)
		return -EFAULT;
	gather(to, pieces, in->nr_initrd);
	return 0;
}

int linux_load(struct vm *vm, const struct linux_plan *plan, const struct linux_input *in,
	       const struct memmap *e820)
{
	u64 kernel_size = plan->image.kernel_size;
	const void *src =
		guest_ptr(vm, in->kernel + plan->image.setup_size, kernel_size, "kernel image");
	void *dst = guest_ptr(vm, plan->kernel, kernel_size, "kernel");
	int r;

	if (!src || !dst)
		return -EFAULT;
	/* The plan keeps these clear of all sources and of kernel and initrd: write them first. */
	r = in->real_mode ? load_setup(vm, plan, in) : load_boot_params(vm, plan, in, e820);
	if (r)
		return r;
	/*
	 * Move the initrd before the kernel: its destination does not overlap the kernel's file,
	 * but the kernel's destination may overlap the initrd's source.
	 */
	r = in->nr_initrd ? load_initrd(vm, plan, in) : 0;
	if (r)
		return r;
	memmove(dst, src, kernel_size);
	return 0;
}
