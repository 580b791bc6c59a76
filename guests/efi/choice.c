/* SPDX-License-Identifier: MIT */
/*
 * A program for UEFI firmware that chooses and starts as glasshouse.efi does, but as what it is:
 * the firmware's program. tests/boot/test_efi_choice.py starts it. From its volume it takes the
 * variables in \vars (a file's name is the variable's), and in \modules the modules 0, 1, ..., with
 * the strings 0s, 1s, ...
 */
#include "boot/efi/services.h"
#include "lib/print.h"
#include "lib/string.h"

/* What is in this program's image, as the hypervisor's is in glasshouse.efi. */
static const struct image_header image = {.magic = IMAGE_MAGIC};

/* A variable that is there keeps its attributes: BootCurrent is volatile. */
static void set_variable(const struct door *door, CHAR16 *name, void *data, u64 size)
{
	EFI_GUID guid = EFI_GLOBAL_VARIABLE;
	u32 attributes = EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS;

	if (door->st->RuntimeServices->SetVariable(
		    name, &guid, attributes | EFI_VARIABLE_NON_VOLATILE, size, data))
		door->st->RuntimeServices->SetVariable(name, &guid, attributes, size, data);
}

static void set_variables(const struct door *door, EFI_FILE *folder)
{
	u64 info[128] = {0};
	EFI_FILE_INFO *entry = (EFI_FILE_INFO *)info;
	UINTN n = sizeof(info);
	void *data;
	u64 size;

	for (; folder && !folder->Read(folder, &n, entry) && n; n = sizeof(info)) {
		if (entry->Attribute & EFI_FILE_DIRECTORY)
			continue;
		data = efi_read_file(door, folder, entry->FileName, &size);
		set_variable(door, entry->FileName, data, size);
		efi_free(door, data);
	}
}

static void read_modules(struct door *door, EFI_FILE *folder)
{
	CHAR16 name[] = L"0", string[] = L"0s";
	u64 size;

	for (unsigned i = 0; i < 10; i++) {
		struct door_module *m = &door->modules[door->nr_modules];

		name[0] = string[0] = (CHAR16)('0' + i);
		m->string = efi_read_file(door, folder, string, &size);
		m->bytes = efi_read_file(door, folder, name, &m->size);
		if (!m->string || !m->bytes)
			return;
		door->nr_modules++;
	}
}

static void run(const struct door *door)
{
	struct choice choice;
	EFI_STATUS status = choose(door, &choice);

	/* As if Glasshouse had refused the machine. */
	if (!status) {
		choice_drop(door, &choice);
		status = choose(door, &choice);
	}
	if (status)
		door_print(door, "choice: refused\n");
	else if (!choice.program)
		door_print(door, "choice: no program of the firmware\n");
	else
		door_print(door, "choice: %s\n", choice.name);
	if (!status && choice.program) {
		choice_start(door, &choice);
		door_print(door, "choice: the end\n");
	}
}

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *st);

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *st)
{
	struct door door = {.image = handle, .st = st, .hypervisor = &image};
	EFI_LOADED_IMAGE *own =
		efi_protocol(&door, handle, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
	EFI_FILE *root = efi_volume(&door, own->DeviceHandle);
	char cmdline[DOOR_CMDLINE];

	if (!door_options(&door, cmdline)) {
		door_print(&door, "options: %s\nfrom: %s\n", cmdline, door.cmdline_from);
		set_variables(&door, efi_open(root, L"vars"));
		read_modules(&door, efi_open(root, L"modules"));
		run(&door);
	}
	st->RuntimeServices->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
	return EFI_SUCCESS;
}
