/* SPDX-License-Identifier: MIT */
/*
 * Loading Linux into guest memory by its 64-bit, 32-bit or real-mode boot protocol: check the
 * image, plan where all goes, then copy. Source: Linux's "The Linux/x86 Boot Protocol" (sections
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
#define LINUX_SETUP_STACK      0x9000 /* the end of heap and stack, from the setup code on */

/* A kernel image (bzImage), as its setup header describes it. */
struct linux_image {
	u8 setup_header[LINUX_SETUP_HEADER_MAX]; /* from offset 1F1 of the image on */
	u32 setup_header_size;                   /* bytes of it */
	u16 version;                             /* of the protocol: 0x20f is 2.15 */
	u32 setup_size;   /* bytes of real-mode code at the image's start, which are not loaded */
	u64 kernel_size;  /* bytes after them, which are */
	u64 memory_size;  /* bytes that the kernel needs from its load address on */
	u64 pref_address; /* where it wants to be */
	u64 alignment;    /* of any other place */
	bool relocatable; /* it can be in another place */
	u64 initrd_max;   /* no byte of the initrd may lie above this address */
	u32 cmdline_size; /* the longest command line, without its terminator */
	bool long_mode;   /* it has the 64-bit entry point; else the 32-bit one is used */
};

/* What to load. The addresses are guest-physical. */
struct linux_input {
	u64 kernel;              /* where the image (all of it) is now */
	u64 initrd, initrd_size; /* where the initrd is now; size 0: none */
	const char *cmdline;
	bool real_mode; /* start the kernel's setup code in real mode, which asks the BIOS itself */
	u64 rsdp;       /* ACPI's root pointer; 0: let Linux look for it */
	const struct framebuffer
		*fb; /* the screen, when FB_RGB; otherwise VGA text of 80x25 is assumed */
};

/* Where everything goes, and how the boot CPU starts. The addresses are guest-physical. */
struct linux_plan {
	struct linux_image image;
	u64 kernel; /* the load address */
	u64 initrd;
	u64 boot_params; /* the zero page */
	u64 cmdline;
	u64 setup_data; /* for E820 entries that do not fit in the zero page */

	/*
	 * With real_mode, instead of boot_params and all below: the first of the setup sectors. The
	 * entry is 200h behind it, all data segments begin there, SP = LINUX_SETUP_STACK.
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
 * read. Returns 0 or -ENOEXEC; the reason is said by pr_err, with field and value.
 */
int linux_check(const void *image, size_t size, struct linux_image *out);

/*
 * Decide where everything goes in the RAM of @map, which must have our own memory reserved. Returns
 * 0, -E2BIG (command line longer than the kernel takes, or the initrd larger than the protocol can
 * say), or -ENOSPC (no room); the reason is said by pr_err.
 */
int linux_plan(const struct linux_image *image, const struct memmap *map,
	       const struct linux_input *in, struct linux_plan *plan);

/*
 * Carry out @plan: copy kernel and initrd, in the order that saves both, and write the zero page,
 * command line, page tables and GDT. @in is the one that the plan was made with. @e820: the memory
 * map that the guest is told.
 *
 * @vm: whose memory; its slots must keep distances (ptr - gpa always the same), because source and
 * destination may overlap. Returns 0, or -EFAULT, with an error logged, when a range is in no slot.
 */
int linux_load(struct vm *vm, const struct linux_plan *plan, const struct linux_input *in,
	       const struct memmap *e820);

#endif
