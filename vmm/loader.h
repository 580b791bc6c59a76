/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader's modules to a guest that is ready to run.
 */
#ifndef GH_LOADER_H
#define GH_LOADER_H

#include "framebuffer.h"
#include "vmm/vm.h"

/* A module: the first word of its string is its role, the rest its arguments. */
struct guest_module {
	u64 start, size;
	const char *string;
};

struct guest_modules {
	const struct guest_module *list;
	unsigned nr;
	const struct framebuffer *fb; /* NULL: VGA text */
	u64 rsdp;		      /* physical address of ACPI's root pointer, 0: unknown */
};

/*
 * Load the guest that @modules describe into the memory of @vm, and set up its first vCPU, which must be loaded
 * on this CPU, as the protocol of the guest asks. What is wrong is said in words.
 * Returns 0; -ENOENT without a module whose role is known; or what the loader says.
 */
int load_guest(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules);

#endif
