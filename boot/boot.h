/* SPDX-License-Identifier: MIT */
/*
 * What the front doors share. A front door (multiboot2.S and .c, for GRUB) brings the CPU into
 * 64-bit mode with the image at IMAGE_BASE, calls boot_early(), fills a struct boot_info, and ends
 * in boot_main().
 */
#ifndef GH_BOOT_H
#define GH_BOOT_H

#include "boot/boot_info.h"

/*
 * The first C that runs: the IDT and the consoles, so that everything later can be reported.
 * @load_base: the physical address of the image. On the boot stack (arch/x86/early.h).
 */
void boot_early(u64 load_base);

/* Print @why and stop the machine. */
void boot_stop(const char *why) __noreturn;

/* Bring up the host, make VM 0, load its guest and run it. @info must stay. */
void boot_main(struct boot_info *info) __noreturn;

#endif
