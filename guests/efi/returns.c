/* SPDX-License-Identifier: MIT */
/*
 * A program for UEFI firmware that prints its load options and BootCurrent, and returns.
 */
#include "boot/efi/option_text.h"
#include "boot/efi/services.h"

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	struct door door = {.image = image, .st = st};
	EFI_LOADED_IMAGE *own =
		efi_protocol(&door, image, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
	char text[128] = "";
	size_t size = 0;
	u16 *current = efi_variable(&door, L"BootCurrent", &size);

	if (own->LoadOptionsSize)
		wide_to_text(text, sizeof(text), own->LoadOptions,
			     own->LoadOptionsSize / sizeof(CHAR16));
	door_print(&door, "returns: \"%s\", BootCurrent %04X\n", text, current ? *current : 0);
	return EFI_ABORTED;
}
