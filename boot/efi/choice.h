/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the choice share: choose.c, kernel.c and list_programs.c.
 */
#ifndef GH_BOOT_EFI_CHOICE_H
#define GH_BOOT_EFI_CHOICE_H

#include "boot/efi/device_path.h"
#include "boot/efi/door.h"

/* The variable Boot#### with the number @number. Returns it, to be freed, after
 * load_option_parse(); NULL if it is not there, or malformed. */
void *read_entry(const struct door *door, unsigned number, struct load_option *option);

/* LoadImage, with nothing left behind if it fails. @bytes: the program in memory, or NULL: as @path
 * says. */
EFI_STATUS load_image(const struct door *door, const EFI_DEVICE_PATH *path, const void *bytes,
		      size_t size, EFI_HANDLE *program);

/* Give @program a copy of the @size bytes at @data as its load options. */
EFI_STATUS set_load_options(const struct door *door, EFI_HANDLE program, const void *data,
			    size_t size);

/* Choose by the modules, see choose(). */
EFI_STATUS choose_kernel(const struct door *door, struct choice *choice);

/* Take the initrd away again. */
void drop_initrd(const struct door *door, struct choice *choice);

/* Print the boot entries, and the programs below \EFI. */
void list_programs(const struct door *door);

#endif
