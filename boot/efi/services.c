/* SPDX-License-Identifier: MIT */
/*
 * The firmware's services, made short.
 */
#include "boot/efi/services.h"

#include "boot/efi/device_path.h"

#define END_OF_FILE UINT64_MAX /* as a position */

void *efi_allocate(const struct door *door, size_t size)
{
	void *memory = NULL;

	return door->st->BootServices->AllocatePool(EfiLoaderData, size, &memory) ? NULL : memory;
}

void efi_free(const struct door *door, const void *memory)
{
	if (memory)
		door->st->BootServices->FreePool((void *)memory);
}

void *efi_protocol(const struct door *door, EFI_HANDLE handle, EFI_GUID guid)
{
	void *interface = NULL;

	if (!handle || door->st->BootServices->HandleProtocol(handle, &guid, &interface))
		return NULL;
	return interface;
}

const EFI_DEVICE_PATH *efi_path(const struct door *door, EFI_HANDLE handle)
{
	const EFI_DEVICE_PATH *path =
		efi_protocol(door, handle, (EFI_GUID)EFI_DEVICE_PATH_PROTOCOL_GUID);

	return path && path_size(path, PATH_BYTES_MAX) ? path : NULL;
}

size_t efi_handles(const struct door *door, const EFI_GUID *guid, EFI_HANDLE **handles)
{
	UINTN n = 0;

	if (door->st->BootServices->LocateHandleBuffer(guid ? ByProtocol : AllHandles,
						       (EFI_GUID *)guid, NULL, &n, handles))
		return 0;
	return n;
}

void *efi_variable(const struct door *door, const CHAR16 *name, size_t *size)
{
	EFI_GUID guid = EFI_GLOBAL_VARIABLE;
	UINTN bytes = 0;
	void *data;

	if (door->st->RuntimeServices->GetVariable((CHAR16 *)name, &guid, NULL, &bytes, NULL) !=
	    EFI_BUFFER_TOO_SMALL)
		return NULL;
	data = efi_allocate(door, bytes);
	if (data &&
	    door->st->RuntimeServices->GetVariable((CHAR16 *)name, &guid, NULL, &bytes, data)) {
		efi_free(door, data);
		data = NULL;
	}
	*size = bytes;
	return data;
}

EFI_FILE *efi_volume(const struct door *door, EFI_HANDLE handle)
{
	EFI_FILE_IO_INTERFACE *volume =
		efi_protocol(door, handle, (EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID);
	EFI_FILE *root;

	return volume && !volume->OpenVolume(volume, &root) ? root : NULL;
}

EFI_FILE *efi_open(EFI_FILE *folder, const CHAR16 *name)
{
	EFI_FILE *file;

	return folder && !folder->Open(folder, &file, (CHAR16 *)name, EFI_FILE_MODE_READ, 0) ? file
											     : NULL;
}

void *efi_read_file(const struct door *door, EFI_FILE *folder, const CHAR16 *name, u64 *size)
{
	EFI_FILE *file = efi_open(folder, name);
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

const char *efi_why(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
	case EFI_NO_MEDIA:
		return "it is not there";
	case EFI_ALREADY_STARTED:
		return "it is this program itself";
	case EFI_SECURITY_VIOLATION:
	case EFI_ACCESS_DENIED:
		return "Secure Boot does not allow it, "
		       "because nobody whom the firmware trusts has signed it";
	case EFI_UNSUPPORTED:
	case EFI_LOAD_ERROR:
		return "it is no program for this firmware, or it is damaged";
	case EFI_OUT_OF_RESOURCES:
		return "there is not enough memory";
	default:
		return "it cannot be read";
	}
}
