/* SPDX-License-Identifier: MIT */
/*
 * glasshouse.efi: the start as a program of the firmware, with the image inside it.
 */
#include "boot/efi/door.h"

extern const struct image_header hypervisor_image; /* made by tools/build/efi.mk */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

/* Called by gnu-efi's start code, with C's own calling convention. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	struct door door = {.image = image, .st = st, .hypervisor = &hypervisor_image};
	char cmdline[DOOR_CMDLINE];
	EFI_STATUS status = door_options(&door, cmdline);

	return status ? door_refuse(&door, status) : door_run(&door);
}
