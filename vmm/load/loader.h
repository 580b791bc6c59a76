/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader's modules to a guest that is ready to run. The roles are described in
 * docs/guests.md.
 */
#ifndef GH_LOADER_H
#define GH_LOADER_H

#include "framebuffer.h"
#include "vmm/vm.h"

/* A module, which lies in the guest's own memory, where the guest may use it up. The first word of
 * its string is its role, the rest its arguments. */
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
 * Load the guest that @modules describe into the memory of @vm, and set up its first vCPU, which
 * must be loaded on this CPU, as the protocol of the guest asks. What is wrong is said in words.
 * Returns 0; -ENOENT without a module whose role is known; or what the loader says.
 */
int load_guest(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules);

/*
 * Make the guest the system that is installed on a drive: its boot sector is read by the machine's
 * BIOS and started as that would, in real mode, with interrupts on, DL = the drive's number.
 * @drive: 80h for the first hard disk, or DRIVE_CD for the first CD that can be booted, whatever
 * its number. @vcpu as above, and the only one that runs. Returns 0 or a negative error, said in
 * words.
 */
int load_drive(struct vm *vm, struct vcpu *vcpu, unsigned drive);

#define DRIVE_HD0 0x80u
#define DRIVE_CD  0x100u

/* ---- For the loaders ---------------------------------------------------------------------- */

/*
 * A loader, in load_ROLE.c: @module has its role, @args are the words behind it. It says what is
 * wrong, and returns 0 or a negative error.
 */
typedef int loader_fn(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		      const struct guest_module *module, const char *args);

loader_fn load_linux, load_linux16, load_multiboot1, load_multiboot2, load_raw;

struct linux_plan;

/*
 * Of load_linux.c, for the role "linux", and, with @real_mode, for "linux16": load @kernel with
 * @cmdline and the module of the role "initrd", if there is one, and set up @vcpu, by the 64-bit or
 * 32-bit entry or by start_linux_setup(). Returns as a loader.
 */
int load_linux_kernel(bool real_mode, struct vm *vm, struct vcpu *vcpu,
		      const struct guest_modules *modules, const struct guest_module *kernel,
		      const char *cmdline);

/*
 * Of load_linux16.c: @vcpu starts in the setup code that @plan has loaded, in real mode, with
 * interrupts off. Returns as start_real_mode(). Source: "The Linux/x86 Boot Protocol", "Running the
 * Kernel".
 */
int start_linux_setup(struct vcpu *vcpu, const struct linux_plan *plan);

/* What follows the first word of the string of @module, if that word is @role; else NULL. */
const char *module_arguments(const struct guest_module *module, const char *role);

/* The first module whose role is @role, and its @arguments; NULL if there is none. */
const struct guest_module *find_module(const struct guest_modules *modules, const char *role,
				       const char **arguments);

/* The bytes of @module, or NULL, with an error logged, when they are not in memory of @vm. */
const void *module_bytes(struct vm *vm, const struct guest_module *module);

#endif
