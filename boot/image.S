/* SPDX-License-Identifier: MIT */
/*
 * The header of the image, struct image_header. linker.ld puts it at the start.
 */
#include "arch/x86/layout.h"
#include "boot/image.h"

#define PHYS(sym) ((sym) - IMAGE_BASE)

	.section .image_header, "a"
	.globl image_header
image_header:
	.quad IMAGE_MAGIC
	.long __image_file_size
	.long __image_size
	.long PHYS(enter_long_mode)
	.long PHYS(boot_stack_top)
	.long PHYS(efi_boot_cpu)
	.long PHYS(efi_other_cpu)

	.section .note.GNU-stack, "", @progbits
