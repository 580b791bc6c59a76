/* SPDX-License-Identifier: MIT */
/*
 * A module of the role linux that is an EFI program: the kernel's EFI stub. It asks for its initrd
 * by the protocol Load File 2, on the handle that has a device path of its own. Linux: "The EFI
 * Boot Stub"; UEFI Specification: "Load File 2 Protocol".
 */
#include "boot/efi/choice.h"
#include "boot/efi/option_text.h"
#include "boot/efi/services.h"
#include "lib/string.h"
#include "vmm/load/gather.h"
#include "vmm/load/role.h"

#define INITRD_MEDIA_GUID                                              \
	{                                                              \
		0x5568e427, 0x68fc, 0x4f3d,                            \
		{                                                      \
			0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 \
		}                                                      \
	}
#define LOAD_FILE2_GUID                                                \
	{                                                              \
		0x4006c0c1, 0xfcb3, 0x403e,                            \
		{                                                      \
			0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d \
		}                                                      \
	}

#define MACHINE_X86_64 0x8664

/* Where the fields of a program's headers are. PE format: "MS-DOS Stub", "COFF File Header",
 * "Optional Header". */
#define PE_OFFSET      0x3c /* in the file; the others from there on */
#define PE_MACHINE     4
#define PE_IMAGE_MAJOR 68
#define PE_SIZE        72 /* bytes that are read */

struct initrd_path {
	VENDOR_DEVICE_PATH vendor;
	EFI_DEVICE_PATH end;
};

/* The initrd: the protocol, which is called with a pointer to it, and the files that it joins. */
struct initrd {
	EFI_LOAD_FILE_INTERFACE load_file2; /* it has the form of Load File */
	EFI_HANDLE handle;
	struct initrd_path path;
	u64 size;
	unsigned nr;
	struct gather_piece files[];
};

struct memory_path {
	MEMMAP_DEVICE_PATH memory;
	EFI_DEVICE_PATH end;
};

#define END_NODE                                                      \
	{                                                             \
		END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, \
		{                                                     \
			sizeof(EFI_DEVICE_PATH), 0                    \
		}                                                     \
	}

/* The PE headers of an EFI program for this CPU; NULL if the module is none. */
static const u8 *pe_headers(const struct door_module *module)
{
	const u8 *bytes = module->bytes;
	u32 offset;
	u16 machine;

	if (module->size < PE_OFFSET + sizeof(offset) || bytes[0] != 'M' || bytes[1] != 'Z')
		return NULL;
	memcpy(&offset, bytes + PE_OFFSET, sizeof(offset));
	if (offset > module->size || module->size - offset < PE_SIZE ||
	    memcmp(bytes + offset, "PE\0", 4) != 0)
		return NULL;
	memcpy(&machine, bytes + offset + PE_MACHINE, sizeof(machine));
	return machine == MACHINE_X86_64 ? bytes + offset : NULL;
}

static EFI_STATUS EFIAPI load_initrd(EFI_LOAD_FILE_INTERFACE *this, EFI_DEVICE_PATH *path,
				     BOOLEAN boot, UINTN *size, void *buffer)
{
	struct initrd *initrd = (struct initrd *)this;
	UINTN room;

	if (boot)
		return EFI_UNSUPPORTED;
	if (!path || !size)
		return EFI_INVALID_PARAMETER;
	room = *size;
	*size = initrd->size;
	if (!buffer || room < initrd->size)
		return EFI_BUFFER_TOO_SMALL;
	gather(buffer, initrd->files, initrd->nr);
	return EFI_SUCCESS;
}

void drop_initrd(const struct door *door, struct choice *choice)
{
	EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID, load_guid = LOAD_FILE2_GUID;
	struct initrd *initrd = choice->initrd;

	if (initrd)
		door->st->BootServices->UninstallMultipleProtocolInterfaces(
			initrd->handle, &path_guid, &initrd->path, &load_guid, &initrd->load_file2,
			NULL);
	efi_free(door, initrd);
	choice->initrd = NULL;
}

/* Offer the modules of the role initrd to the kernel. */
static EFI_STATUS offer_initrd(const struct door *door, struct choice *choice, unsigned nr)
{
	EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID, load_guid = LOAD_FILE2_GUID;
	struct initrd *initrd = efi_allocate(door, sizeof(*initrd) + nr * sizeof(initrd->files[0]));
	EFI_STATUS status;

	if (!initrd)
		return EFI_OUT_OF_RESOURCES;
	*initrd = (struct initrd){
		.load_file2 = {load_initrd},
		.path = {{{MEDIA_DEVICE_PATH, MEDIA_VENDOR_DP, {sizeof(VENDOR_DEVICE_PATH), 0}},
			  INITRD_MEDIA_GUID},
			 END_NODE},
	};
	for (unsigned i = 0; i < door->nr_modules; i++) {
		const struct door_module *m = &door->modules[i];

		if (!role_arguments(m->string, "initrd"))
			continue;
		initrd->files[initrd->nr++] =
			(struct gather_piece){.from = (u8 *)m->bytes, .size = m->size};
		initrd->size = gather_size(initrd->size, m->size);
	}
	status = door->st->BootServices->InstallMultipleProtocolInterfaces(
		&initrd->handle, &path_guid, &initrd->path, &load_guid, &initrd->load_file2, NULL);
	/* For choose(), that error has another meaning. */
	if (status == EFI_ALREADY_STARTED) {
		door_print(door, "Another program offers an initrd already.\n");
		status = EFI_UNSUPPORTED;
	}
	if (status)
		efi_free(door, initrd);
	else
		choice->initrd = initrd;
	return status;
}

/* Load the kernel, with its command line. */
static EFI_STATUS load_kernel(const struct door *door, struct choice *choice,
			      const struct door_module *kernel, const char *arguments)
{
	size_t size = (text_to_wide((CHAR16[1]){0}, 1, arguments) + 1) * sizeof(CHAR16);
	CHAR16 *wide = efi_allocate(door, size);
	struct memory_path path = {
		{{HARDWARE_DEVICE_PATH, HW_MEMMAP_DP, {sizeof(MEMMAP_DEVICE_PATH), 0}},
		 EfiLoaderData,
		 (u64)kernel->bytes,
		 (u64)kernel->bytes + kernel->size - 1},
		END_NODE,
	};
	EFI_STATUS status;

	if (!wide)
		return EFI_OUT_OF_RESOURCES;
	text_to_wide(wide, size / sizeof(CHAR16), arguments);
	status = load_image(door, &path.memory.Header, kernel->bytes, kernel->size,
			    &choice->program);
	if (!status)
		status = set_load_options(door, choice->program, wide, size);
	efi_free(door, wide);
	return status;
}

/* Count the modules of the role initrd. An error: there is a module that the kernel does not take.
 */
static EFI_STATUS check_modules(const struct door *door, const struct door_module *kernel,
				unsigned *nr_initrd)
{
	for (unsigned i = 0; i < door->nr_modules; i++) {
		const struct door_module *m = &door->modules[i];

		if (m == kernel)
			continue;
		if (!role_arguments(m->string, "initrd")) {
			door_print(door,
				   "The module \"%.100s\" "
				   "is of no use to a guest of the role linux. "
				   "Modules for it have the role: initrd. "
				   "Correct the first word after the file's name "
				   "in the boot loader's configuration, "
				   "or leave the line out.\n",
				   m->string);
			return EFI_INVALID_PARAMETER;
		}
		if (!m->size) {
			door_print(door, "module initrd: size is 0: the file is empty; "
					 "give an initrd (Debian: /boot/initrd.img-*), "
					 "or remove the line\n");
			return EFI_INVALID_PARAMETER;
		}
		++*nr_initrd;
	}
	return EFI_SUCCESS;
}

/* Is there a guest for Glasshouse's own loaders? Afterwards the firmware cannot go on. */
static EFI_STATUS check_guest(const struct door *door)
{
	for (unsigned i = 0; i < door->nr_modules; i++)
		if (role_arguments(door->modules[i].string, "linux") ||
		    role_arguments(door->modules[i].string, "multiboot") ||
		    role_arguments(door->modules[i].string, "multiboot2") ||
		    role_arguments(door->modules[i].string, "raw"))
			return EFI_SUCCESS;
	door_print(door,
		   "None of the %u modules has the role of a guest that UEFI can start: "
		   "linux, multiboot, multiboot2 or raw. "
		   "Correct the first word after the file's name in grub.cfg.\n",
		   door->nr_modules);
	return EFI_INVALID_PARAMETER;
}

EFI_STATUS choose_kernel(const struct door *door, struct choice *choice)
{
	const struct door_module *kernel = NULL;
	const char *arguments = NULL;
	const u8 *headers;
	unsigned nr = 0;
	EFI_STATUS status;

	for (unsigned i = 0; i < door->nr_modules && !arguments; i++) {
		kernel = &door->modules[i];
		arguments = role_arguments(kernel->string, "linux");
	}
	headers = arguments ? pe_headers(kernel) : NULL;
	if (!headers)
		return check_guest(door);
	status = check_modules(door, kernel, &nr);
	if (status)
		return status;
	/* The version of the stub's interface. */
	if (nr && !headers[PE_IMAGE_MAJOR]) {
		door_print(door, "module linux: this kernel is older than 5.8, "
				 "whose EFI stub does not ask for an initrd. "
				 "Give a newer kernel, or one without an initrd.\n");
		return EFI_UNSUPPORTED;
	}
	strlcpy(choice->name, "module linux", sizeof(choice->name));
	status = load_kernel(door, choice, kernel, arguments);
	if (!status && nr)
		status = offer_initrd(door, choice, nr);
	if (status) {
		choice_drop(door, choice);
		door_print(door, "module linux: the kernel cannot be started: %s.\n",
			   efi_why(status));
	}
	return status;
}
