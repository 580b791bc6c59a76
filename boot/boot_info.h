/* SPDX-License-Identifier: MIT */
/*
 * The boot loader's information, parsed once and copied, so that nothing later reads the loader's
 * memory. Source: Multiboot2 Specification, "Boot information format".
 */
#ifndef GH_BOOT_BOOT_INFO_H
#define GH_BOOT_BOOT_INFO_H

#include "types.h"
#include "bits.h"
#include "framebuffer.h"
#include "mem_range.h"

#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289u /* in EAX at our entry */

#define BOOT_MODULES        128
#define BOOT_TEXT_SIZE      KIB(40) /* twice 4,096 characters, and 256 for each module */
#define BOOT_MEM_RANGES     256
#define BOOT_RSDP_SIZE      64
#define BOOT_RSDP_V1_LENGTH 20

struct boot_module {
	u64 start, size;    /* physical address, bytes */
	const char *string; /* its arguments in the loader's configuration */
};

struct cpu;
struct firmware_state;

/* Firmware that is still there while Glasshouse starts, and continues as the guest. */
struct boot_firmware {
	/* The boot CPU's state, in which the guest starts. */
	const struct firmware_state *state;
	/* Let all other CPUs come from the firmware. Each calls @main. Returns the number of CPUs
	 * that run, with the boot CPU. */
	unsigned (*start_cpus)(void (*main)(struct cpu *cpu));
	/* Glasshouse cannot run here: this CPU goes back to the firmware, in @state. */
	void (*leave)(const struct firmware_state *state) __noreturn;
};

/* Not to be copied: its strings point into it. */
struct boot_info {
	const char *cmdline;      /* never NULL */
	const char *cmdline_from; /* where the user writes it, for messages */

	/* The firmware's memory map (under UEFI, that of GetMemoryMap), in the loader's order; may
	 * overlap; none empty. */
	struct mem_range mem[BOOT_MEM_RANGES];
	unsigned nr_mem;

	struct boot_module modules[BOOT_MODULES];
	unsigned nr_modules;

	struct framebuffer fb;

	u8 rsdp[BOOT_RSDP_SIZE]; /* a copy of the ACPI RSDP; version 2's if the loader passed both
				  */
	u32 rsdp_length;         /* bytes; 0: the loader passed none */
	u64 rsdp_address; /* where the root pointer itself is; 0: unknown, look as a BIOS machine
			     has it */

	const char *refusal;    /* why the front door can go no further; NULL: it can */
	bool efi_boot_services; /* UEFI boot services are still running */
	bool efi;               /* the machine was started by UEFI */
	const struct boot_firmware *firmware; /* NULL: the guest starts otherwise */
	const u32 *apic_ids; /* CPUs that the firmware names, beside the ACPI tables */
	unsigned nr_apic_ids;

	/* Glasshouse's own memory, if the front door has reserved it; size 0: it has not. */
	struct mem_range own_heap, own_log;
	u64 own_low_page; /* a page below 640 KiB, to start CPUs from; 0: none */

	char text[BOOT_TEXT_SIZE]; /* the command line's and the modules' strings */
	u32 text_used;             /* bytes of it */
};

/*
 * Parse the boot information at @mbi into @bi.
 *
 * @magic: EAX at entry. @max: the number of readable bytes at @mbi; no byte beyond them is read,
 * whatever sizes the information has.
 *
 * A tag or an entry with an error is skipped, with a warning. Returns 0, -EINVAL (not multiboot 2,
 * or the structure is corrupt), -E2BIG (more than BOOT_MEM_RANGES ranges: skipping one could hand
 * out memory that is not free; more than BOOT_MODULES modules or BOOT_TEXT_SIZE bytes of strings:
 * the guest would start without a part of its input) or -ENOENT (no memory map, and no UEFI boot
 * services to ask for one); errors are logged. @bi is always safe to read.
 */
int boot_info_parse(struct boot_info *bi, u32 magic, const void *mbi, size_t max);

/* Drop a framebuffer that lies in RAM by the memory map, with a warning: what is drawn there could
 * overwrite anything. */
void boot_info_check_framebuffer(struct boot_info *bi);

#endif
