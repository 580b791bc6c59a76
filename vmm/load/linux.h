/* SPDX-License-Identifier: MIT */
/*
 * Load Linux into guest memory by its 64-bit, 32-bit or real-mode boot protocol: check the image,
 * choose all addresses, then copy. Source: Linux's "The Linux/x86 Boot Protocol" (sections
 * "The Real-Mode Kernel Header", "64-bit Boot Protocol", "32-bit Boot Protocol", "Running the
 * Kernel") and "Zero Page".
 */
#ifndef GH_LINUX_H
#define GH_LINUX_H

#include "framebuffer.h"
#include "vmm/memslot.h"
#include "vmm/x86/long_mode.h"
#include "lib/memmap.h"

#define LINUX_SETUP_HEADER_MAX (0x290 - 0x1f1)
#define LINUX_INITRD_FILES     128
#define LINUX_SETUP_STACK      0x9000 /* the top of heap and stack, as an offset from the setup code */

/* A kernel image (bzImage), described by its setup header. */
struct linux_image {
	u8 setup_header[LINUX_SETUP_HEADER_MAX]; /* from offset 1F1h of the image */
	u32 setup_header_size;                   /* bytes */
	u16 version;                             /* of the protocol: 0x20f is 2.15 */
	u32 setup_size; /* bytes of real-mode code at the image's start; loaded in real mode only */
	u64 kernel_size;  /* bytes of the protected-mode kernel after it */
	u64 memory_size;  /* bytes that the kernel needs at its load address */
	u64 pref_address; /* the preferred load address */
	u64 alignment;    /* of any other load address, in bytes */
	bool relocatable; /* it can be loaded elsewhere */
	u64 initrd_max;   /* the highest address of the initrd's last byte */
	u32 cmdline_size; /* the longest command line in bytes, without its terminator */
	bool long_mode;   /* it has the 64-bit entry point; otherwise the 32-bit one is used */
};

/* What to load. The addresses are guest-physical. */
struct linux_input {
	u64 kernel; /* the whole image, as the boot loader left it */
	const char *cmdline;
	/* The files of the initrd, as the boot loader left them: at most LINUX_INITRD_FILES, none
	 * of them empty. Linux gets one initrd made of all, in this order. The types do not matter.
	 */
	const struct mem_range *initrd;
	unsigned nr_initrd;
	bool real_mode; /* start the kernel's setup code in real mode, which calls the BIOS */
	u64 rsdp;       /* ACPI's root pointer (RSDP); 0: Linux searches for it */
	const struct framebuffer
		*fb; /* the screen, if FB_RGB; otherwise VGA text of 80x25 is reported */
};

/* All addresses, and the boot CPU's state at entry. The addresses are guest-physical. */
struct linux_plan {
	struct linux_image image;
	u64 kernel; /* the load address */
	u64 initrd, initrd_size;
	u64 boot_params; /* the zero page */
	u64 cmdline;
	u64 setup_data; /* the E820 entries that do not fit into the zero page */

	/*
	 * With real_mode, instead of boot_params and the fields below: the first setup sector. The
	 * entry is 200h after it, all data segments are based there, SP = LINUX_SETUP_STACK.
	 */
	u64 setup;

	/*
	 * The state at entry, with image.long_mode: long mode (vmm/x86/long_mode.h), RIP = entry,
	 * RSI = boot_params, CR3 = cr3 (the first 4 GiB identity-mapped), GDT = gdt with CS BOOT_CS
	 * and DS, ES, SS BOOT_DS, IF = 0. Without: protected mode without paging, EIP = entry, ESI
	 * = boot_params.
	 */
	u64 entry, cr3, gdt;
	u16 gdt_limit;
};

/*
 * Check the kernel image of @size bytes at @image and describe it in @out. Nothing beyond @size is
 * read. Returns 0; or -ENOEXEC, with an error logged: field and value.
 */
int linux_check(const void *image, size_t size, struct linux_image *out);

/*
 * Choose all addresses in the RAM of @map, in which Glasshouse's own memory must be reserved, and
 * store them in @plan. Returns 0; -E2BIG (the command line is longer than the kernel allows, or the
 * initrd larger than the protocol allows or made of too many files) or -ENOSPC (not enough free
 * memory), with an error logged.
 */
int linux_plan(const struct linux_image *image, const struct memmap *map,
	       const struct linux_input *in, struct linux_plan *plan);

/*
 * Load by @plan: copy kernel and initrd, in an order that overwrites neither, and write the zero
 * page, command line, page tables and GDT. @in: the input of linux_plan(). @e820: the memory map
 * for the guest.
 *
 * All slots of @vm must have the same distance between pointer and guest-physical address, because
 * source and destination may overlap. Returns 0; or -EFAULT, with an error logged, when a range is
 * in no slot.
 */
int linux_load(struct vm *vm, const struct linux_plan *plan, const struct linux_input *in,
	       const struct memmap *e820);

#endif
