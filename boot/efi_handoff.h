/* SPDX-License-Identifier: MIT */
/*
 * What the UEFI front door (boot/efi/) and the image (boot/efi.c) know of each other. Plain data:
 * the two are linked at different addresses, so pointers in it are physical addresses.
 */
#ifndef GH_BOOT_EFI_HANDOFF_H
#define GH_BOOT_EFI_HANDOFF_H

#include "arch/x86/firmware.h"
#include "boot/image.h"
#include "boot/boot_info.h"

#define HANDOFF_CPUS    1024
#define HANDOFF_CMDLINE (KIB(4) + 1) /* the NUL among them */

/* What the other CPUs are to do, which wait in the firmware's state. */
enum efi_others { OTHERS_WAIT, OTHERS_COME, OTHERS_LEAVE };

/* In memory of the firmware's below 4 GiB, which is freed when the guest's first program ends. */
struct efi_handoff {
	/* Glasshouse's own memory, which the firmware reserves: physical addresses and bytes, whole
	 * pages below 4 GiB. */
	struct mem_range image, heap, log;
	u64 switch_page;       /* executable, with the code of boot/efi/switch.S */
	u64 switch_attributes; /* what it was before: EFI_MEMORY_XP or not */
	u64 low_page;          /* a reserved page below 640 KiB, to start CPUs from */

	char cmdline[HANDOFF_CMDLINE]; /* Glasshouse's options, NUL-terminated */
	char cmdline_from[64];         /* where the user writes them */
	u64 rsdp;                      /* 0: the firmware has no ACPI tables */
	struct framebuffer fb;
	struct mem_range mem[BOOT_MEM_RANGES]; /* the firmware's memory map, without the above */
	u32 nr_mem;
	u32 boot_services; /* they are alive: the guest goes on in the firmware's state */
	u64 exit_status; /* without them: what ExitBootServices returned; an error: they have ended
			    only in part, and the image can only say so */

	/* Only without boot services: GRUB's modules, for Glasshouse's own loaders. */
	struct {
		u64 start, size, string;
	} modules[BOOT_MODULES];
	u32 nr_modules;

	/* The other CPUs, which the firmware's MP services bring; see boot/efi/cpus.c. */
	u32 nr_others; /* how many come; 0: the image starts those of the ACPI tables */
	u32 max_cpus;  /* memory is reserved for so many */
	u32 has_mp_services;
	u32 others;                 /* enum efi_others; the image sets it */
	u32 lock;                   /* 1: another CPU uses the boot stack */
	u64 others_event;           /* the firmware's event: they have all returned */
	u32 apic_ids[HANDOFF_CPUS]; /* of the nr_others */
	u32 enabled[HANDOFF_CPUS];  /* the firmware's numbers of those that it had disabled */
	u32 nr_enabled;

	struct firmware_state states[HANDOFF_CPUS]; /* each CPU's, the boot CPU's first */
	u32 nr_states;

	u64 last_words; /* the log, when the image has refused: physical address of a struct
			   log_ring */
};

#endif
