/* SPDX-License-Identifier: MIT */
/*
 * Choose what is started as the guest, as the firmware's boot manager would. UEFI Specification:
 * "Boot Manager".
 */
#include "boot/efi/choice.h"
#include "boot/efi/option_text.h"
#include "boot/efi/services.h"
#include "lib/print.h"
#include "lib/string.h"

#define WATCHDOG_SECONDS 300 /* what the firmware's boot manager gives a boot entry */
#define REMOVABLE_PATH   L"\\EFI\\BOOT\\BOOTX64.EFI"

/* Places in the search: BootNext, then BootOrder's entries; behind them, the removable path. */
enum { PLACE_NEXT, PLACE_ORDER };

static EFI_LOADED_IMAGE *image_of(const struct door *door, EFI_HANDLE program)
{
	return efi_protocol(door, program, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
}

/* Is the file @file of @volume this program? GRUB is not: it may well be started again, under
 * Glasshouse. */
static bool is_this_program(const struct door *door, EFI_HANDLE volume, const EFI_DEVICE_PATH *file)
{
	EFI_LOADED_IMAGE *own = image_of(door, door->image);
	CHAR16 name[FILE_NAME_MAX], own_name[FILE_NAME_MAX];

	return own && own->DeviceHandle == volume &&
	       (u64)door->hypervisor - (u64)own->ImageBase < own->ImageSize && own->FilePath &&
	       path_size(own->FilePath, PATH_BYTES_MAX) &&
	       path_file_name(own->FilePath, own_name) && path_file_name(file, name) &&
	       same_file_name(name, own_name);
}

EFI_STATUS load_image(const struct door *door, const EFI_DEVICE_PATH *path, const void *bytes,
		      size_t size, EFI_HANDLE *program)
{
	EFI_STATUS status;

	*program = NULL;
	status = door->st->BootServices->LoadImage(!bytes, door->image, (EFI_DEVICE_PATH *)path,
						   (void *)bytes, size, program);
	/* Then it is loaded nevertheless. */
	if (status == EFI_SECURITY_VIOLATION && *program)
		door->st->BootServices->UnloadImage(*program);
	if (status)
		*program = NULL;
	return status;
}

EFI_STATUS set_load_options(const struct door *door, EFI_HANDLE program, const void *data,
			    size_t size)
{
	EFI_LOADED_IMAGE *image = image_of(door, program);
	void *copy = efi_allocate(door, size);

	if (!copy || !image)
		return EFI_OUT_OF_RESOURCES;
	memcpy(copy, data, size);
	image->LoadOptions = copy;
	image->LoadOptionsSize = (u32)size;
	return EFI_SUCCESS;
}

/* Load the file @file of @volume, whose whole path is @path, from memory. */
static EFI_STATUS load_bytes(const struct door *door, EFI_HANDLE volume,
			     const EFI_DEVICE_PATH *file, const EFI_DEVICE_PATH *path,
			     EFI_HANDLE *program)
{
	EFI_STATUS status = EFI_UNSUPPORTED;
	EFI_FILE *root = efi_volume(door, volume);
	CHAR16 name[FILE_NAME_MAX];
	u64 size;
	void *bytes =
		root && path_file_name(file, name) ? efi_read_file(door, root, name, &size) : NULL;

	if (bytes)
		status = load_image(door, path, bytes, size, program);
	efi_free(door, bytes);
	if (root)
		root->Close(root);
	return status;
}

/* Load the file @file of @volume. */
static EFI_STATUS load_file(const struct door *door, EFI_HANDLE volume, const EFI_DEVICE_PATH *file,
			    EFI_HANDLE *program)
{
	const EFI_DEVICE_PATH *own = efi_path(door, volume);
	struct file_path removable;
	EFI_DEVICE_PATH *path;
	EFI_STATUS status;

	path_of_file(&removable, REMOVABLE_PATH);
	if (path_is_end(file))
		file = &removable.node;
	if (is_this_program(door, volume, file))
		return EFI_ALREADY_STARTED;
	path = efi_allocate(door, path_size(own, PATH_BYTES_MAX) + path_size(file, SIZE_MAX));
	if (!path)
		return EFI_OUT_OF_RESOURCES;
	path_join(path, own, file);
	status = load_image(door, path, NULL, 0, program);
	/* shim's LoadImage, with which it replaces the firmware's, reads no files. */
	if (status == EFI_UNSUPPORTED)
		status = load_bytes(door, volume, file, path, program);
	efi_free(door, path);
	return status;
}

/* After this error: was the program there, so that no other one should be taken for it? */
static bool was_there(EFI_STATUS status)
{
	return status == EFI_SUCCESS || status == EFI_SECURITY_VIOLATION ||
	       status == EFI_ACCESS_DENIED || status == EFI_UNSUPPORTED ||
	       status == EFI_LOAD_ERROR || status == EFI_OUT_OF_RESOURCES;
}

/* The volumes, that which this program comes from first. Returns their number; to be freed, unless
 * it is 0. */
static size_t find_volumes(const struct door *door, EFI_HANDLE **volumes)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *own = image_of(door, door->image);
	size_t n = efi_handles(door, &guid, volumes);

	for (size_t i = 1; own && i < n; i++) {
		if ((*volumes)[i] == own->DeviceHandle) {
			(*volumes)[i] = (*volumes)[0];
			(*volumes)[0] = own->DeviceHandle;
		}
	}
	return n;
}

/* Load what @path means on a volume. Otherwise it may be, for instance, a network boot: the
 * firmware knows. */
static EFI_STATUS load_now(const struct door *door, const EFI_DEVICE_PATH *path,
			   EFI_HANDLE *program)
{
	EFI_STATUS status = EFI_NOT_FOUND, r;
	const EFI_DEVICE_PATH *volume, *file;
	EFI_HANDLE *volumes;
	size_t n = find_volumes(door, &volumes);
	bool matched = false;

	for (size_t i = 0; i < n && !was_there(status); i++) {
		volume = efi_path(door, volumes[i]);
		file = volume ? path_match(path, volume) : NULL;
		if (!file)
			continue;
		matched = true;
		r = load_file(door, volumes[i], file, program);
		if (r != EFI_NOT_FOUND)
			status = r;
	}
	if (n)
		efi_free(door, volumes);
	return matched ? status : load_image(door, path, NULL, 0, program);
}

/* The firmware may have connected only the drivers of the devices that it started from. */
static EFI_STATUS load(const struct door *door, struct choice *choice, const EFI_DEVICE_PATH *path)
{
	EFI_STATUS status = load_now(door, path, &choice->program);
	EFI_HANDLE *handles;
	size_t n;

	if (was_there(status) || status == EFI_ALREADY_STARTED || choice->connected)
		return status;
	choice->connected = true;
	n = efi_handles(door, NULL, &handles);
	for (size_t i = 0; i < n; i++)
		door->st->BootServices->ConnectController(handles[i], NULL, NULL, TRUE);
	if (n)
		efi_free(door, handles);
	return load_now(door, path, &choice->program);
}

void *read_entry(const struct door *door, unsigned number, struct load_option *option)
{
	char text[16];
	CHAR16 name[16];
	size_t size;
	void *data;

	snprintf(text, sizeof(text), "Boot%04X", number);
	text_to_wide(name, ARRAY_SIZE(name), text);
	data = efi_variable(door, name, &size);
	if (data && !load_option_parse(option, data, size)) {
		efi_free(door, data);
		data = NULL;
	}
	return data;
}

/* Load the boot entry @number. EFI_ALREADY_STARTED: it is not to be started. @any: also if it is
 * not active, or an application. */
static EFI_STATUS load_entry(const struct door *door, struct choice *choice, unsigned number,
			     bool any)
{
	struct load_option option;
	void *data = read_entry(door, number, &option);
	EFI_STATUS status = EFI_ALREADY_STARTED;

	if (!data)
		return status;
	snprintf(choice->name, sizeof(choice->name), "Boot%04X %s", number, option.description);
	choice->entry = (int)number;
	if (any || ((option.attributes & LOAD_OPTION_ACTIVE) &&
		    !(option.attributes & LOAD_OPTION_CATEGORY)))
		status = load(door, choice, option.path);
	if (!status && option.data_size) {
		status = set_load_options(door, choice->program, option.data, option.data_size);
		if (status)
			choice_drop(door, choice);
	}
	efi_free(door, data);
	return status;
}

static EFI_STATUS load_removable(const struct door *door, struct choice *choice)
{
	struct file_path path;

	path_of_file(&path, REMOVABLE_PATH);
	strlcpy(choice->name, "\\EFI\\BOOT\\BOOTX64.EFI", sizeof(choice->name));
	choice->entry = CHOICE_NO_ENTRY;
	return load(door, choice, &path.node);
}

/* A variable of one number; or -1. */
static int read_number(const struct door *door, const CHAR16 *name)
{
	size_t size = 0;
	const u16 *data = efi_variable(door, name, &size);
	int number = data && size == sizeof(u16) ? *data : -1;

	efi_free(door, data);
	return number;
}

/* Load what is at @place in the search. EFI_END_OF_FILE: that is behind the end. BootOrder is begun
 * behind the entry that the firmware is at, and taken as a circle, because this may be a program
 * that was started once, by BootNext. */
static EFI_STATUS load_place(const struct door *door, struct choice *choice, unsigned place)
{
	int next = read_number(door, L"BootNext");
	size_t size = 0, n, start = 0;
	u16 *order = efi_variable(door, L"BootOrder", &size), number;

	n = order ? size / sizeof(u16) : 0;
	for (size_t i = 0; i < n; i++)
		if (order[i] == choice->after)
			start = i + 1;
	number = place >= PLACE_ORDER && place - PLACE_ORDER < n
			 ? order[(start + place - PLACE_ORDER) % n]
			 : 0;
	efi_free(door, order);
	if (place == PLACE_NEXT)
		return next < 0 ? EFI_ALREADY_STARTED
				: load_entry(door, choice, (unsigned)next, true);
	if (place - PLACE_ORDER < n)
		return load_entry(door, choice, number, false);
	return place - PLACE_ORDER == n ? load_removable(door, choice) : EFI_END_OF_FILE;
}

/* Load the next program of the search. */
static EFI_STATUS load_next(const struct door *door, struct choice *choice)
{
	EFI_STATUS status;

	do {
		status = load_place(door, choice, choice->next++);
		if (status && status != EFI_ALREADY_STARTED && status != EFI_END_OF_FILE)
			door_print(door, "%s cannot be started: %s.\n", choice->name,
				   efi_why(status));
	} while (status && status != EFI_END_OF_FILE);
	return status;
}

static EFI_STATUS choose_path(const struct door *door, struct choice *choice, const char *name)
{
	CHAR16 wide[FILE_NAME_MAX];
	struct file_path path;
	EFI_STATUS status;

	text_to_wide(wide, ARRAY_SIZE(wide), name);
	path_of_file(&path, wide);
	wide_to_text(choice->name, sizeof(choice->name), wide, SIZE_MAX);
	status = load(door, choice, &path.node);
	if (!status)
		return status;
	door_print(door, "boot=%s: the program cannot be started: %s. Give one that is there:\n",
		   choice->name, efi_why(status));
	list_programs(door);
	return status;
}

static EFI_STATUS choose_entry(const struct door *door, struct choice *choice)
{
	EFI_STATUS status;

	choice->entries = true;
	choice->after = read_number(door, L"BootCurrent");
	status = load_next(door, choice);
	if (!status)
		return status;
	door_print(door, "The firmware has no other boot entry that can be started: "
			 "its boot manager will be the guest. "
			 "boot=\\EFI\\debian\\grubx64.efi would start a program; there are:\n");
	list_programs(door);
	choice->back = true;
	return EFI_SUCCESS;
}

EFI_STATUS choose(const struct door *door, struct choice *choice)
{
	char value[FILE_NAME_MAX];
	int length = door_option(door->cmdline, "boot", value, sizeof(value));
	bool given = length >= 0;

	*choice = (struct choice){.entry = CHOICE_NO_ENTRY};
	if (length >= (int)sizeof(value)) {
		door_print(door, "boot=%.64s... is longer than %lu characters. There are:\n", value,
			   sizeof(value) - sizeof("boot="));
		list_programs(door);
		return EFI_INVALID_PARAMETER;
	}
	if (given && (value[0] == '\\' || value[0] == '/'))
		return choose_path(door, choice, value);
	if (given ? strcmp(value, "efi") == 0 : !door->nr_modules)
		return choose_entry(door, choice);
	if (!given || strcmp(value, "modules") == 0)
		return choose_kernel(door, choice);
	door_print(door,
		   "boot=%.64s: a machine with UEFI firmware starts boot=efi (its boot entries), "
		   "boot=modules, "
		   "or the path of a program, as boot=\\EFI\\debian\\grubx64.efi. There are:\n",
		   value);
	list_programs(door);
	return EFI_INVALID_PARAMETER;
}

/* What the firmware's boot manager does before it starts an entry. */
static void announce(const struct door *door, const struct choice *choice)
{
	EFI_GUID guid = EFI_GLOBAL_VARIABLE;
	u16 number = (u16)choice->entry;

	door->st->BootServices->SetWatchdogTimer(WATCHDOG_SECONDS, 0, 0, NULL);
	if (choice->entry == CHOICE_NO_ENTRY)
		return;
	if (choice->next == PLACE_NEXT + 1)
		door->st->RuntimeServices->SetVariable(L"BootNext", &guid, 0, 0, NULL);
	door->st->RuntimeServices->SetVariable(L"BootCurrent", &guid,
					       EFI_VARIABLE_BOOTSERVICE_ACCESS |
						       EFI_VARIABLE_RUNTIME_ACCESS,
					       sizeof(number), &number);
}

EFI_STATUS choice_start(const struct door *door, struct choice *choice)
{
	EFI_STATUS status;
	CHAR16 *text;
	UINTN size;

	if (choice->back)
		return EFI_SUCCESS;
	do {
		text = NULL;
		announce(door, choice);
		status = door->st->BootServices->StartImage(choice->program, &size, &text);
		door->st->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
		efi_free(door, text);
		choice->program = NULL;
		drop_initrd(door, choice);
		door_print(door, "%s has returned (EFI status %lx).\n", choice->name, status);
	} while (choice->entries && !load_next(door, choice));
	return status;
}

void choice_drop(const struct door *door, struct choice *choice)
{
	EFI_LOADED_IMAGE *image = image_of(door, choice->program);

	if (image) {
		efi_free(door, image->LoadOptions);
		image->LoadOptions = NULL;
		image->LoadOptionsSize = 0;
		door->st->BootServices->UnloadImage(choice->program);
	}
	choice->program = NULL;
	drop_initrd(door, choice);
}
