/* SPDX-License-Identifier: MIT */
/*
 * Device paths and load options, as data: without the firmware. UEFI Specification: "Device Path
 * Protocol", "Load Options".
 */
#ifndef GH_BOOT_EFI_DEVICE_PATH_H
#define GH_BOOT_EFI_DEVICE_PATH_H

#include <efi.h>

#include "types.h"

#define FILE_NAME_MAX 256 /* characters of a file's path, the NUL among them */

/* The bytes of the device path at @path, its end node among them. 0: it is malformed, or longer
 * than @max bytes, the number that may be read. The functions below expect paths that are not
 * malformed. */
size_t path_size(const void *path, size_t max);

/*
 * What is left of @path behind @volume, the device path of a volume, if @path can mean something on
 * that volume: a file's path, or only the end node when it names no file. @path begins with all of
 * @volume; or it is a short form: HD(...), which is @volume's last node (the same signature), or
 * only a file's path, which may be on any volume; or it is the beginning of @volume's: a disk.
 * NULL: it means something else. UEFI Specification: "Boot Manager".
 */
const EFI_DEVICE_PATH *path_match(const EFI_DEVICE_PATH *path, const EFI_DEVICE_PATH *volume);

/* True if there is no further node. */
bool path_is_end(const EFI_DEVICE_PATH *path);

/* Join @a and @b, at @to, which has room for path_size() of both. Returns the bytes. */
size_t path_join(void *to, const EFI_DEVICE_PATH *a, const EFI_DEVICE_PATH *b);

/* A file's path on its volume, as a device path. */
struct file_path {
	EFI_DEVICE_PATH node;
	CHAR16 name[FILE_NAME_MAX];
	EFI_DEVICE_PATH end;
} __attribute__((packed));

/* Make @path of @name: from the volume's root, of at most FILE_NAME_MAX - 1 characters, separated
 * by \ or /. */
void path_of_file(struct file_path *path, const CHAR16 *name);

/* Write the file's path that @path consists of to @name, of FILE_NAME_MAX characters: it begins
 * with one backslash, and has one between two names. False if @path has other nodes, or is too
 * long. */
bool path_file_name(const EFI_DEVICE_PATH *path, CHAR16 *name);

/* True if two names from path_file_name() name the same file, ignoring the case as FAT does. */
bool same_file_name(const CHAR16 *a, const CHAR16 *b);

#define LOAD_OPTION_ACTIVE   0x1u
#define LOAD_OPTION_HIDDEN   0x8u
#define LOAD_OPTION_CATEGORY 0x1f00u /* 0: a system to boot; otherwise an application */

/* A variable Boot####. The pointers point into it. */
struct load_option {
	u32 attributes;
	char description[80]; /* characters other than ASCII are "?" */
	const EFI_DEVICE_PATH *path;
	const void *data; /* for the program */
	size_t data_size;
};

/* Read the variable's @size bytes at @bytes. False if they are malformed. */
bool load_option_parse(struct load_option *option, const void *bytes, size_t size);

#endif
