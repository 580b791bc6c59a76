/* SPDX-License-Identifier: MIT */
/*
 * Loading a multiboot kernel, version 1 or 2, into guest memory. What both versions share is here:
 * segments, modules and the information for the kernel are given places, moved there and written.
 */
#ifndef GH_MULTIBOOT_H
#define GH_MULTIBOOT_H

#include "framebuffer.h"
#include "vmm/load/elf.h"
#include "vmm/load/loader.h"
#include "lib/memmap.h"

#define MULTIBOOT_MODULES 16
#define MULTIBOOT_LOADER  "Glasshouse" /* the boot loader's name */

/* What to load. The addresses are guest-physical. */
struct multiboot_input {
	struct guest_module kernel;         /* its string: the command line */
	const struct guest_module *modules; /* in their order; the strings without the role */
	unsigned nr_modules;
	const struct memmap *map;     /* RAM to place things in, and what the guest is told */
	const struct framebuffer *fb; /* NULL: VGA text of 80x25 */
	u64 rsdp;                     /* ACPI's root pointer; 0: unknown */

	/* Its memory, by gpa_to_ptr(). Slots must keep distances (ptr - gpa always the same):
	 * source and destination may overlap. */
	struct vm *vm;
};

/* The state in which an i386 kernel starts. Specification: "Machine state", "I386 machine state".
 */
struct multiboot_entry {
	u32 eip, eax, ebx;
	u64 gdt; /* see vmm/x86/long_mode.h */
};

/*
 * Load a multiboot kernel and its modules; where the boot loader has put them does not matter.
 * Returns 0, -ENOEXEC (an image that cannot be loaded, or asks for what we do not have), -ENOSPC
 * (no room), -E2BIG (more than MULTIBOOT_MODULES modules) or -EFAULT (memory that is in no
 * slot); the reason is said by pr_err. Sources: Multiboot Specification version 0.6.96;
 * Multiboot2 Specification version 2.0; each "The format of ..." and "Boot information format".
 */
int multiboot1_load(const struct multiboot_input *in, struct multiboot_entry *entry);
int multiboot2_load(const struct multiboot_input *in, struct multiboot_entry *entry);

/* ---- For the two of them ---- */

/* Where everything goes. */
struct multiboot_plan {
	const char *role;       /* for messages */
	struct elf_image image; /* its segments and entry are final */
	u64 kernel;             /* where the file is to be read, when the modules have moved */
	u64 modules[MULTIBOOT_MODULES];
	u64 sections, sections_size; /* ELF sections that are in no segment */
	u64 info, info_size;         /* the block that a struct info_writer fills; a GDT first */
};

/* What follows the GDT in the block, aligned as both specifications want it. */
#define MULTIBOOT_INFO_OFFSET 32

/* What a kernel is told of a screen in text mode. */
extern const struct framebuffer multiboot_text_screen;

/* Writes the information for the kernel: twice the same, first to learn its size. */
struct info_writer {
	u8 *block; /* NULL: only count */
	u64 gpa;   /* of the block */
	u64 used;
};

/* The kernel's file, or NULL, which was said. */
const void *multiboot_file(const struct multiboot_input *in, const char *role);

/* Align @w and append @len bytes, zeroes if @data is NULL. Returns their guest-physical address. */
u32 info_put(struct info_writer *w, const void *data, u64 len, u64 align);

/* What has been put at @gpa can be changed there; NULL while counting. */
void *info_at(const struct info_writer *w, u32 gpa);

/*
 * A kernel that says itself how it is loaded (flag 16, address tag): from @offset of the file to
 * @load; @load_end and @bss_end as in the header, 0: the file's end, no bss. 0 or -ENOEXEC.
 */
int multiboot_flat_image(struct multiboot_plan *plan, u64 file_size, u64 offset, u64 load,
			 u64 load_end, u64 bss_end);

/*
 * plan->role and ->image are given: find places for all the rest. @write: writes the information.
 * Then move and write all. The GDT's address is plan->info.
 */
typedef void (*info_fn)(struct info_writer *w, const struct multiboot_plan *plan,
			const struct multiboot_input *in);
int multiboot_load(struct multiboot_plan *plan, const struct multiboot_input *in, info_fn write);

/* With what the kernel of @plan starts; @magic: what its version of the protocol has in EAX. */
struct multiboot_entry multiboot_entry(const struct multiboot_plan *plan, u32 magic);

/* Append the section header table, with the places of the sections. Returns its address. */
u32 info_put_sections(struct info_writer *w, const struct multiboot_plan *plan,
		      const struct multiboot_input *in);

/* KiB of RAM from 0 on, at most 640, and from 1 MiB on. Specification: "mem_lower", "mem_upper". */
u32 mem_lower(const struct memmap *map);
u32 mem_upper(const struct memmap *map);

#endif
