/* SPDX-License-Identifier: MIT */
/*
 * Reading a whole file, for the tests' programs for UEFI firmware.
 */
#ifndef GUEST_EFI_READ_FILE_H
#define GUEST_EFI_READ_FILE_H

#include "boot/efi/door.h"

/* Open the file or folder @name of @folder; NULL if it is not there, or @folder is NULL. */
EFI_FILE *open_file(EFI_FILE *folder, const CHAR16 *name);

/* Read the file @name of @folder. Returns its bytes, with a NUL after them, to be freed by
 * efi_free(), and their number without the NUL in *@size; NULL if it cannot be read. */
void *read_file(const struct door *door, EFI_FILE *folder, const CHAR16 *name, u64 *size);

#endif
