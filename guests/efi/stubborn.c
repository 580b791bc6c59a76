/* SPDX-License-Identifier: MIT */
/*
 * Makes the firmware one that never ends its boot services, and starts the installed GRUB.
 */
#include "guests/efi/start.h"

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static EFI_STATUS EFIAPI exit_boot_services(EFI_HANDLE image, UINTN key)
{
	(void)image;
	(void)key;
	return EFI_INVALID_PARAMETER;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	struct door door = {.image = image, .st = st};
	EFI_LOADED_IMAGE *own =
		efi_protocol(&door, image, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);

	st->BootServices->ExitBootServices = exit_boot_services;
	return start_file(&door, own->DeviceHandle, "\\EFI\\debian\\grubx64.efi", "");
}
