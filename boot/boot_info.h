/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, parsed once and copied, so that nothing later needs the loader's
 * memory. Source: Multiboot2 Specification, "Boot information format".
 */
#ifndef GH_BOOT_INFO_H
#define GH_BOOT_INFO_H

#include "bits.h"
#include "framebuffer.h"
#include "mem_range.h"

#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289u /* in EAX at our entry */

#define BOOT_CMDLINE_SIZE   2048
#define BOOT_MODULE_STRING  1024
#define BOOT_MODULES        16
#define BOOT_MEM_RANGES     256
#define BOOT_RSDP_SIZE      64
#define BOOT_RSDP_V1_LENGTH 20

struct boot_module {
	u64 start, size;                 /* where the loader put it, bytes */
	char string[BOOT_MODULE_STRING]; /* its words in the loader's configuration */
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_SIZE];

	struct mem_range mem[BOOT_MEM_RANGES]; /* as told: unsorted, may overlap, none empty */
	unsigned nr_mem;

	struct boot_module modules[BOOT_MODULES];
	unsigned nr_modules;

	struct framebuffer fb;

	u8 rsdp[BOOT_RSDP_SIZE]; /* a copy of the ACPI root pointer, version 2's if there are two */
	u32 rsdp_length;         /* bytes of it; 0: the loader passed none */

	bool efi_boot_services; /* they are still running */
};

/*
 * Parse the boot information at @mbi into @bi.
 *
 * @magic: what EAX held at entry. @max: how many bytes at @mbi are readable; nothing beyond them is
 * read, whatever the bytes say.
 *
 * What is wrong in a single tag is named (pr_warn) and that tag or entry is left out. Returns 0,
 * -EINVAL (not multiboot 2, or the structure is broken), -E2BIG (more than BOOT_MEM_RANGES ranges:
 * to leave one out could hand out memory that is not free) or -ENOENT (no memory map, and no UEFI
 * boot services to ask for one); an error has been said by pr_err. @bi is always safe to read.
 */
int boot_info_parse(struct boot_info *bi, u32 magic, const void *mbi, size_t max);

#endif
