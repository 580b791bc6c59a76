/* SPDX-License-Identifier: MIT */
/*
 * What the UEFI front door (boot/efi/) and the image (boot/efi.c) know of each other. Plain data: the
 * two are linked at different addresses, so pointers in it are physical addresses.
 */
#ifndef GH_BOOT_EFI_HANDOFF_H
#define GH_BOOT_EFI_HANDOFF_H

#include "arch/x86/firmware.h"
#include "arch/x86/image.h"
#include "boot/boot_info.h"

#define HANDOFF_CPUS 1024

/* In memory below 4 GiB that stays until the guest starts. */
struct efi_handoff {
	/* Glasshouse's own memory, which the firmware reserves: physical addresses and bytes, whole
	 * pages below 4 GiB. */
	struct mem_range image, heap, log;
	u64 low_page; /* a reserved page below 640 KiB, to start CPUs from */

	u64 system_table, image_handle; /* the firmware's */
	u64 cmdline;                    /* Glasshouse's options, NUL-terminated */
	u64 rsdp;                       /* 0: the firmware has no ACPI tables */
	struct framebuffer fb;
	struct mem_range mem[BOOT_MEM_RANGES]; /* the firmware's memory map, without the above */
	u32 nr_mem;
	u32 boot_services; /* they are alive: the guest goes on in the firmware's state */

	/* Only without boot services: GRUB's modules, for Glasshouse's own loaders. */
	struct {
		u64 start, size, string;
	} modules[BOOT_MODULES];
	u32 nr_modules;

	/* The other CPUs, which the firmware's MP services have brought here; see boot/efi/cpus.c. */
	u32 nr_others;       /* how many come; 0: none can, the image starts them itself */
	u32 others_may_come; /* the image sets it */
	u32 lock;            /* a CPU has it while it uses the boot stack */

	struct firmware_state states[HANDOFF_CPUS]; /* each CPU's, the boot CPU's first */
	u32 nr_states;
};

#endif
