/* SPDX-License-Identifier: MIT */
/*
 * The firmware's boot and runtime services, made short. UEFI Specification: "Services - Boot
 * Services", "Services - Runtime Services".
 */
#ifndef GH_BOOT_EFI_SERVICES_H
#define GH_BOOT_EFI_SERVICES_H

#include "boot/efi/door.h"

#define PATH_BYTES_MAX KIB(16) /* a longer device path of the firmware's is taken for malformed */

/* @size bytes of memory, EfiLoaderData; NULL if there are none. */
void *efi_allocate(const struct door *door, size_t size);

/* Free what efi_allocate() or the firmware allocated; nothing if @memory is NULL. */
void efi_free(const struct door *door, const void *memory);

/* The interface of a protocol that @handle has; NULL if it has not. */
void *efi_protocol(const struct door *door, EFI_HANDLE handle, EFI_GUID guid);

/* The device path of @handle; NULL if it has none. */
const EFI_DEVICE_PATH *efi_path(const struct door *door, EFI_HANDLE handle);

/* The handles that have the protocol @guid, or with NULL all handles. Returns their number. To be
 * freed, unless it is 0. */
size_t efi_handles(const struct door *door, const EFI_GUID *guid, EFI_HANDLE **handles);

/* Read a variable of the specification's. Returns it, to be freed, and its size; NULL if it is not
 * there or cannot be read. */
void *efi_variable(const struct door *door, const CHAR16 *name, size_t *size);

/* The root directory of the volume @handle, to be closed; NULL if it has none. */
EFI_FILE *efi_volume(const struct door *door, EFI_HANDLE handle);

/* Open the file or folder @name of @folder, to be closed; NULL if it is not there, or @folder is
 * NULL. */
EFI_FILE *efi_open(EFI_FILE *folder, const CHAR16 *name);

/* Read the file @name of @folder. Returns its bytes, with a NUL after them, to be freed, and their
 * number without the NUL in *@size; NULL if it cannot be read. UEFI Specification: "File Protocol".
 */
void *efi_read_file(const struct door *door, EFI_FILE *folder, const CHAR16 *name, u64 *size);

/* Why something could not be loaded, as the end of a sentence. */
const char *efi_why(EFI_STATUS status);

#endif
