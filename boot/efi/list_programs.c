/* SPDX-License-Identifier: MIT */
/*
 * Print what could be started: boot entries, and the programs below \EFI, so that the right one can
 * be named.
 */
#include "boot/efi/choice.h"
#include "boot/efi/option_text.h"
#include "boot/efi/services.h"
#include "lib/string.h"

#define ENTRIES_MAX  16
#define PROGRAMS_MAX 32
#define DEPTH_MAX    2 /* \EFI and the directories in it */

static void list_entries(const struct door *door)
{
	size_t size = 0, listed = 0;
	u16 *order = efi_variable(door, L"BootOrder", &size);
	struct load_option option;

	for (size_t i = 0; order && i < size / sizeof(u16) && listed < ENTRIES_MAX; i++) {
		void *data = read_entry(door, order[i], &option);

		if (data && (option.attributes & LOAD_OPTION_ACTIVE) &&
		    !(option.attributes & LOAD_OPTION_HIDDEN)) {
			door_print(door, "  Boot%04X %s\n", order[i], option.description);
			listed++;
		}
		efi_free(door, data);
	}
	efi_free(door, order);
	if (!listed)
		door_print(door, "  no active boot entries\n");
}

/* List the programs in @folder, whose path is @path, and in the folders in it. Returns how many
 * more may be listed. */
static unsigned list_folder(const struct door *door, EFI_FILE *folder, const char *path,
			    unsigned depth, unsigned left)
{
	union {
		EFI_FILE_INFO info;
		u8 bytes[sizeof(EFI_FILE_INFO) + FILE_NAME_MAX * sizeof(CHAR16)];
	} entry;
	EFI_FILE *inner;
	char name[200];
	UINTN size;

	if (strlen(path) + sizeof("\\x") > sizeof(name)) /* no room for a name in it */
		return left;
	while (left) {
		size = sizeof(entry);
		if (folder->Read(folder, &size, &entry) || !size)
			return left;
		size = strlcpy(name, path, sizeof(name));
		name[size++] = '\\';
		wide_to_text(name + size, sizeof(name) - size, entry.info.FileName, FILE_NAME_MAX);
		if (!(entry.info.Attribute & EFI_FILE_DIRECTORY)) {
			if (ends_in_efi(name)) {
				door_print(door, "  %s\n", name);
				left--;
			}
		} else if (name[size] != '.' && depth < DEPTH_MAX &&
			   !folder->Open(folder, &inner, entry.info.FileName, EFI_FILE_MODE_READ,
					 0)) {
			left = list_folder(door, inner, name, depth + 1, left);
			inner->Close(inner);
		}
	}
	return left;
}

static void list_files(const struct door *door)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	unsigned left = PROGRAMS_MAX;
	EFI_FILE *root, *folder;
	EFI_HANDLE *volumes;
	size_t n = efi_handles(door, &guid, &volumes);

	for (size_t i = 0; i < n; i++) {
		root = efi_volume(door, volumes[i]);
		if (!root)
			continue;
		if (!root->Open(root, &folder, L"\\EFI", EFI_FILE_MODE_READ, 0)) {
			left = list_folder(door, folder, "\\EFI", 1, left);
			folder->Close(folder);
		}
		root->Close(root);
	}
	if (n)
		efi_free(door, volumes);
	if (left == PROGRAMS_MAX)
		door_print(door, "  no programs below \\EFI\n");
}

void list_programs(const struct door *door)
{
	list_entries(door);
	list_files(door);
}
