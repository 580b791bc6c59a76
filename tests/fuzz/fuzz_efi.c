/* SPDX-License-Identifier: MIT */
/*
 * What the UEFI front door reads: boot entries with their device paths, options from a file and
 * from load options. The first byte chooses.
 */
#include "tests/fuzz/fuzz.h"

#include "boot/efi/device_path.h"
#include "boot/efi/door.h"
#include "boot/efi/option_text.h"

/* A boot entry, whose data may be a volume's path. */
static void boot_entry(const void *bytes, size_t size)
{
	const EFI_DEVICE_PATH *rest;
	struct load_option option;
	CHAR16 name[FILE_NAME_MAX];
	struct file_path made;
	char *joined;

	if (!load_option_parse(&option, bytes, size))
		return;
	if (path_size(option.data, option.data_size))
		path_match(option.path, option.data);
	rest = path_match(option.path, option.path);
	if (!path_file_name(rest ? rest : option.path, name))
		return;
	path_of_file(&made, name);
	if (!path_size(&made, sizeof(made)) || !path_file_name(&made.node, name))
		abort();
	joined = malloc(path_size(option.path, SIZE_MAX) + sizeof(made));
	if (path_size(joined, path_join(joined, option.path, &made.node)) == 0)
		abort();
	free(joined);
}

static void options(const void *bytes, size_t size, bool file)
{
	char cmdline[200] = "strict", value[64];
	CHAR16 wide[32];

	if (!(file ? append_file(cmdline, sizeof(cmdline), bytes, size)
		   : append_load_options(cmdline, sizeof(cmdline), bytes, size, "gh.efi")) &&
	    strlen(cmdline) >= sizeof(cmdline))
		abort();
	if (door_option(cmdline, "boot", value, sizeof(value)) >= 0)
		text_to_wide(wide, ARRAY_SIZE(wide), value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t kind;
	void *copy;

	take(&data, &size, &kind, 1);
	copy = malloc(size);
	memcpy(copy, data, size);
	if (kind & 1)
		boot_entry(copy, size);
	else
		options(copy, size, kind & 2);
	free(copy);
	return 0;
}
