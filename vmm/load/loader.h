/* SPDX-License-Identifier: MIT */
/*
 * Load a guest from the boot loader's modules or from a drive. The roles are described in
 * docs/guests.md.
 */
#ifndef GH_LOADER_H
#define GH_LOADER_H

#include "framebuffer.h"
#include "vmm/vm.h"

/*
 * A boot loader's module. It lies in guest memory, which the guest may overwrite later. The first
 * word of its string is its role, the others are its arguments.
 */
struct guest_module {
	u64 start, size; /* guest-physical address, bytes */
	const char *string;
};

struct guest_modules {
	const struct guest_module *list;
	unsigned nr;
	const struct framebuffer *fb; /* NULL: VGA text */
	u64 rsdp;                     /* physical address of ACPI's root pointer, 0: unknown */
};

/*
 * Load the guest that @modules describe into the memory of @vm, and set up @vcpu, its first vCPU,
 * which must be loaded on this CPU, as the guest's boot protocol requires. Returns 0; -ENOENT when
 * no module has the role of a guest; -EINVAL when there is a module that this guest does not take;
 * or the loader's negative error. Errors are logged.
 */
int load_guest(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules);

/*
 * Load the system that is installed on a drive: read its boot sector by the machine's BIOS, and set
 * up @vcpu to start it as the BIOS would: in real mode, with interrupts enabled, DL = the drive
 * number. @drive: 80h to FFh (80h is the first hard disk), or DRIVE_CD for the first bootable CD.
 * @vcpu as above; no other vCPU may run. Returns 0; or a negative error, which is logged: -EIO
 * (unreadable), -ENOEXEC (not bootable), -ENOENT (no CD), or an error of bios_init() or
 * bios_call(). Sources: "BIOS Boot Specification"; "El Torito Bootable CD-ROM Format
 * Specification".
 */
int load_drive(struct vm *vm, struct vcpu *vcpu, unsigned drive);

#define DRIVE_HD0 0x80u
#define DRIVE_CD  0x100u

/* ---- For the loaders ---------------------------------------------------------------------- */

/*
 * A loader, in load_ROLE.c. @module has its role; @args are the words after the role. Returns 0; or
 * a negative error, which it has logged.
 */
typedef int loader_fn(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		      const struct guest_module *module, const char *args);

loader_fn load_linux, load_linux16, load_multiboot1, load_multiboot2, load_raw;

/* The arguments in the string of @module (after the first word), if its role is @role; else NULL.
 */
const char *module_arguments(const struct guest_module *module, const char *role);

/* A pointer to the bytes of @module; or NULL, with an error logged, if they are in no slot of @vm.
 */
const void *module_bytes(struct vm *vm, const struct guest_module *module);

#endif
