/* SPDX-License-Identifier: MIT */
/*
 * What the boot protocols share. The entry code of a boot protocol (multiboot2.S and .c, for GRUB)
 * switches the CPU to 64-bit mode with the image mapped at IMAGE_BASE, calls boot_early(), fills a
 * struct boot_info and calls boot_main(). By then boot_pml4 (arch/x86/early.h) must be filled and
 * loaded: enter_long_mode does both in 32-bit code; an entry that is in 64-bit mode from the start,
 * as UEFI's, must do it itself.
 */
#ifndef GH_BOOT_BOOT_H
#define GH_BOOT_BOOT_H

#include "bits.h"
#include "boot/boot_info.h"

/*
 * The first C function: set up the IDT and the consoles, so that all later errors can be printed.
 * Runs on the boot stack (arch/x86/early.h). @load_base: the physical address of the image, in
 * bytes, page-aligned. @text_mode: the screen may be in VGA's text mode.
 */
void boot_early(u64 load_base, bool text_mode);

/* Print @why, at error level, and stop the machine. */
void boot_stop(const char *why) __noreturn;

/*
 * Initialise the host, create VM 0, load its guest and run it. @info is used until the machine
 * stops. Errors stop the machine by boot_stop().
 */
void boot_main(struct boot_info *info) __noreturn;

#endif
