/* SPDX-License-Identifier: MIT */
/*
 * Load a multiboot kernel, version 1 or 2, into guest memory. The common part of both versions
 * chooses addresses for segments, modules and the boot information, and moves or writes them there.
 */
#ifndef GH_MULTIBOOT_H
#define GH_MULTIBOOT_H

#include "framebuffer.h"
#include "vmm/load/elf.h"
#include "vmm/load/loader.h"
#include "lib/memmap.h"

#define MULTIBOOT_MODULES 128
#define MULTIBOOT_LOADER  "Glasshouse" /* the boot loader's name */

/* What to load. The addresses are guest-physical. */
struct multiboot_input {
	struct guest_module kernel;         /* its string is the command line only */
	const struct guest_module *modules; /* in order; the strings without the role */
	unsigned nr_modules;
	const struct memmap *map;     /* free RAM, and the map that the guest gets */
	const struct framebuffer *fb; /* NULL: VGA text of 80x25 */
	u64 rsdp;                     /* ACPI's root pointer; 0: unknown */

	/*
	 * The memory to load into. All its slots must have the same distance between pointer and
	 * guest-physical address: source and destination may overlap.
	 */
	struct vm *vm;
};

/* The CPU state at entry. Specification: "Machine state", "I386 machine state". */
struct multiboot_entry {
	u32 eip, eax, ebx;
	u64 gdt; /* guest-physical, written by fill_boot_gdt() */
};

/*
 * Load a multiboot kernel and its modules, which may be anywhere in memory, and return the state at
 * entry in @entry. Returns 0; -ENOEXEC (the image cannot be loaded, or requires a feature that is
 * not supported), -ENOSPC (not enough free memory), -E2BIG (more than MULTIBOOT_MODULES modules) or
 * -EFAULT (memory that is in no slot), with an error logged. Sources: Multiboot Specification
 * version 0.6.96; Multiboot2 Specification version 2.0; each "The format of ..." and "Boot
 * information format".
 */
int multiboot1_load(const struct multiboot_input *in, struct multiboot_entry *entry);
int multiboot2_load(const struct multiboot_input *in, struct multiboot_entry *entry);

/* ---- For multiboot1.c and multiboot2.c ---- */

/* All addresses, which are guest-physical. */
struct multiboot_plan {
	const char *role;       /* for messages */
	struct elf_image image; /* its segments and entry are final */
	u64 kernel;             /* the kernel's file, after the modules have moved */
	u64 modules[MULTIBOOT_MODULES];
	u64 sections, sections_size; /* ELF sections outside of all segments */
	u64 info, info_size;         /* the block of struct info_writer, GDT first */
};

/* The offset of the boot information in the block, after the GDT, aligned for both versions. */
#define MULTIBOOT_INFO_OFFSET 32

/* The description of the screen in text mode. */
extern const struct framebuffer multiboot_text_screen;

/* Writes the boot information. It runs twice: first only to compute the size. */
struct info_writer {
	u8 *block; /* NULL: only count */
	u64 gpa;   /* of the block */
	u64 used;
};

/*
 * A pointer to the kernel's file; or NULL, with an error logged, if it is empty or in no slot.
 * @role: for the message.
 */
const void *multiboot_file(const struct multiboot_input *in, const char *role);

/*
 * Append @len bytes of @data (zeroes if NULL) to @w, aligned to @align bytes (a power of two).
 * Returns their guest-physical address.
 */
u32 info_put(struct info_writer *w, const void *data, u64 len, u64 align);

/* A pointer to the data that info_put() placed at @gpa; NULL during the size computation. */
void *info_at(const struct info_writer *w, u32 gpa);

/*
 * Describe in plan->image a kernel whose header has its load addresses (flag 16, address tag): the
 * file from @offset goes to @load. @load_end and @bss_end as in the header; 0 means the end of the
 * file, and no bss. Returns 0; or -ENOEXEC, with an error logged.
 */
int multiboot_flat_image(struct multiboot_plan *plan, u64 file_size, u64 offset, u64 load,
			 u64 load_end, u64 bss_end);

/*
 * Choose the other addresses of @plan, whose role and image are set, then move and write
 * everything. @write appends the boot information. The GDT is at plan->info. Returns as
 * multiboot1_load().
 */
typedef void (*info_fn)(struct info_writer *w, const struct multiboot_plan *plan,
			const struct multiboot_input *in);
int multiboot_load(struct multiboot_plan *plan, const struct multiboot_input *in, info_fn write);

/* The state at entry of @plan's kernel. @magic: the value of EAX in its version of the protocol. */
struct multiboot_entry multiboot_entry(const struct multiboot_plan *plan, u32 magic);

/*
 * Append the section header table, with the addresses of the loaded sections filled in. Returns its
 * guest-physical address.
 */
u32 info_put_sections(struct info_writer *w, const struct multiboot_plan *plan,
		      const struct multiboot_input *in);

/*
 * KiB of contiguous RAM from 0 (at most 640), and from 1 MiB. Specification: "mem_lower",
 * "mem_upper" in "Boot information format".
 */
u32 mem_lower(const struct memmap *map);
u32 mem_upper(const struct memmap *map);

#endif
