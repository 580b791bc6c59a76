/* SPDX-License-Identifier: MIT */
/*
 * Starts another program of UEFI.
 */
#ifndef GH_GUESTS_EFI_START_H
#define GH_GUESTS_EFI_START_H

#include "boot/efi/choice.h"
#include "boot/efi/option_text.h"
#include "boot/efi/services.h"
#include "lib/string.h"

/* Start the file @name on the volume @volume with the load options @words ("": none). Returns what
 * it returns, or why it was not started. */
static EFI_STATUS start_file(const struct door *door, EFI_HANDLE volume, const char *name,
			     const char *words)
{
	const EFI_DEVICE_PATH *own = efi_path(door, volume);
	CHAR16 wide_name[FILE_NAME_MAX], options[FILE_NAME_MAX];
	struct file_path file;
	EFI_DEVICE_PATH *path;
	EFI_HANDLE program;
	EFI_STATUS status;

	text_to_wide(wide_name, ARRAY_SIZE(wide_name), name);
	text_to_wide(options, ARRAY_SIZE(options), words);
	path_of_file(&file, wide_name);
	path = efi_allocate(door, path_size(own, PATH_BYTES_MAX) + path_size(&file.node, SIZE_MAX));
	path_join(path, own, &file.node);
	status = load_image(door, path, NULL, 0, &program);
	if (!status && *words)
		status = set_load_options(door, program, options,
					  (strlen(words) + 1) * sizeof(*options));
	return status ? status : door->st->BootServices->StartImage(program, NULL, NULL);
}

#endif
