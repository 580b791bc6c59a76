/* SPDX-License-Identifier: MIT */
/*
 * Reading a whole file. UEFI Specification: "File Protocol".
 */
#include "guests/efi/lib/read_file.h"

#include "boot/efi/services.h"

#define END_OF_FILE UINT64_MAX /* as a position */

EFI_FILE *open_file(EFI_FILE *folder, const CHAR16 *name)
{
	EFI_FILE *file;

	return folder && !folder->Open(folder, &file, (CHAR16 *)name, EFI_FILE_MODE_READ, 0) ? file
											     : NULL;
}

void *read_file(const struct door *door, EFI_FILE *folder, const CHAR16 *name, u64 *size)
{
	EFI_FILE *file = open_file(folder, name);
	char *bytes = NULL;

	if (!file)
		return NULL;
	file->SetPosition(file, END_OF_FILE);
	if (!file->GetPosition(file, size))
		bytes = efi_allocate(door, *size + 1);
	file->SetPosition(file, 0);
	if (bytes && !file->Read(file, size, bytes)) {
		bytes[*size] = '\0';
	} else {
		efi_free(door, bytes);
		bytes = NULL;
	}
	file->Close(file);
	return bytes;
}
