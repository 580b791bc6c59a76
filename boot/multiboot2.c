/* SPDX-License-Identifier: MIT */
/*
 * The C part of the entry from GRUB.
 */
#include "arch/x86/paging.h"
#include "boot/boot.h"

#define MBI_MAX MIB(16) /* more than any loader's boot information */

/* Called by multiboot2.S. @magic: EAX at entry; @mbi: physical address of the boot information. */
void multiboot2_main(u32 magic, u64 mbi, u64 load_base) __noreturn;
void multiboot2_main(u32 magic, u64 mbi, u64 load_base)
{
	static struct boot_info info;

	boot_early(load_base, true);
	if (boot_info_parse(&info, magic, phys_to_virt(mbi), MIN(GIB(4) - mbi, MBI_MAX)))
		boot_stop("The boot loader's information cannot be used. Load Glasshouse with "
			  "GRUB's command multiboot2.");
	boot_main(&info);
}
