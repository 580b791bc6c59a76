/* SPDX-License-Identifier: MIT */
/*
 * glasshouse.efi's options: the file glasshouse.conf beside it, and its load options.
 */
#include "boot/efi/device_path.h"
#include "boot/efi/option_text.h"
#include "boot/efi/services.h"
#include "lib/string.h"

#define CONF          L"glasshouse.conf"
#define CONF_SIZE_MAX KIB(64)

static EFI_STATUS append_conf(const struct door *door, EFI_FILE *file, char *cmdline)
{
	UINTN size = CONF_SIZE_MAX;
	void *bytes = efi_allocate(door, size);
	EFI_STATUS status = bytes ? file->Read(file, &size, bytes) : EFI_OUT_OF_RESOURCES;

	if (status)
		door_print(door, "glasshouse.conf: %s.\n", efi_why(status));
	else if (size == CONF_SIZE_MAX || !append_file(cmdline, DOOR_CMDLINE, bytes, size))
		status = EFI_BUFFER_TOO_SMALL;
	efi_free(door, bytes);
	return status;
}

/* Where the last part of @path begins. */
static size_t last_part(const CHAR16 *path)
{
	size_t start = 0;

	for (size_t i = 0; path[i]; i++)
		if (path[i] == '\\')
			start = i + 1;
	return start;
}

/* Append the options of glasshouse.conf in the folder of the program's file, @name. */
static EFI_STATUS read_conf(const struct door *door, EFI_HANDLE volume, CHAR16 *name, char *cmdline)
{
	EFI_FILE *root = efi_volume(door, volume), *file;
	size_t folder = last_part(name);
	EFI_STATUS status;

	if (!root || folder + sizeof(CONF) / sizeof(CHAR16) > FILE_NAME_MAX)
		return EFI_SUCCESS;
	memcpy(name + folder, CONF, sizeof(CONF));
	status = root->Open(root, &file, name, EFI_FILE_MODE_READ, 0);
	root->Close(root);
	if (status == EFI_NOT_FOUND)
		return EFI_SUCCESS;
	if (status) {
		door_print(door, "glasshouse.conf: %s.\n", efi_why(status));
		return status;
	}
	status = append_conf(door, file, cmdline);
	file->Close(file);
	return status;
}

static bool has_words(const char *text)
{
	while (*text == ' ')
		text++;
	return *text;
}

/* Where the user has written the options in @cmdline, of which the first @of_conf characters are
 * those of glasshouse.conf. */
static const char *options_from(const char *cmdline, size_t of_conf)
{
	if (!has_words(cmdline + of_conf))
		return "glasshouse.conf";
	return of_conf ? "glasshouse.conf, or glasshouse.efi's boot entry or command"
		       : "glasshouse.efi's boot entry or command";
}

/* Append the program's load options; say so if they are left out. @name: the program's file. */
static EFI_STATUS append_own(const struct door *door, const EFI_LOADED_IMAGE *own, const char *name,
			     char *cmdline)
{
	const void *bytes = own->LoadOptions;
	size_t n = bytes ? own->LoadOptionsSize : 0;

	if (!n)
		return EFI_SUCCESS;
	if (!load_options_are_text(bytes, n)) {
		door_print(door,
			   "The options of the boot entry or command, %lu bytes, are left out: "
			   "they are not text. If they are yours, write them as ASCII or UTF-8, "
			   "or as UTF-16 (efibootmgr --unicode).\n",
			   n);
		return EFI_SUCCESS;
	}
	return append_load_options(cmdline, DOOR_CMDLINE, bytes, n, name) ? EFI_SUCCESS
									  : EFI_BUFFER_TOO_SMALL;
}

EFI_STATUS door_options(struct door *door, char *cmdline)
{
	EFI_LOADED_IMAGE *own =
		efi_protocol(door, door->image, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
	CHAR16 path[FILE_NAME_MAX] = {0};
	char name[FILE_NAME_MAX] = "";
	EFI_STATUS status = EFI_SUCCESS;
	size_t of_conf;

	cmdline[0] = '\0';
	if (own && own->FilePath && path_size(own->FilePath, PATH_BYTES_MAX) &&
	    path_file_name(own->FilePath, path)) {
		wide_to_text(name, sizeof(name), path + last_part(path), FILE_NAME_MAX);
		status = read_conf(door, own->DeviceHandle, path, cmdline);
	}
	of_conf = strlen(cmdline);
	if (!status && own)
		status = append_own(door, own, name, cmdline);
	if (status == EFI_BUFFER_TOO_SMALL)
		door_print(door,
			   "The options in glasshouse.conf and the boot entry "
			   "are longer than %lu characters. Give fewer.\n",
			   DOOR_CMDLINE - 1);
	door->cmdline = cmdline;
	door->cmdline_from = options_from(cmdline, of_conf);
	return status;
}
