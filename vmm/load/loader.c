/* SPDX-License-Identifier: MIT */
/*
 * Find the loader for the guest's module, by its role.
 */
#include "vmm/load/loader.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/load/role.h"
#include "vmm/memslot.h"

/* The roles of guests, and the role of the modules that each of them takes. */
static const struct loader {
	const char *role, *others;
	loader_fn *load;
} loaders[] = {
	{"linux", "initrd", load_linux},
	{"linux16", "initrd", load_linux16},
	{"multiboot", "module", load_multiboot1},
	{"multiboot2", "module", load_multiboot2},
	{"raw", NULL, load_raw},
};

const char *module_arguments(const struct guest_module *module, const char *role)
{
	return role_arguments(module->string, role);
}

/* The first module whose role is @role, and its @arguments; NULL if there is none. */
static const struct guest_module *find_module(const struct guest_modules *modules, const char *role,
					      const char **arguments)
{
	for (unsigned i = 0; i < modules->nr; i++) {
		*arguments = module_arguments(&modules->list[i], role);
		if (*arguments)
			return &modules->list[i];
	}
	return NULL;
}

/* A guest is not started without a module that was given for it: is each one that it takes? */
static int check_modules(const struct guest_modules *modules, const struct loader *loader,
			 const struct guest_module *guest)
{
	for (unsigned i = 0; i < modules->nr; i++) {
		const struct guest_module *m = &modules->list[i];

		if (m == guest || module_arguments(m, SYMBOLS_ROLE) ||
		    module_arguments(m, SCRIPT_ROLE) ||
		    (loader->others && module_arguments(m, loader->others)))
			continue;
		pr_err("The module \"%.100s\" is of no use to a guest of the role %s. Modules for "
		       "it have the role: %s. Correct the first word after the file's name in the "
		       "boot loader's configuration, or leave the line out.\n",
		       m->string, loader->role, loader->others ? loader->others : "none");
		return -EINVAL;
	}
	return 0;
}

const void *module_bytes(struct vm *vm, const struct guest_module *module)
{
	const void *bytes = gpa_to_ptr(vm, module->start, module->size);

	if (!bytes)
		pr_err("The module \"%.100s\" at %lx, %lu bytes, is not in memory that the "
		       "firmware reports. Check the boot loader and its configuration.\n",
		       module->string, module->start, module->size);
	return bytes;
}

int load_guest(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules)
{
	for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++) {
		const struct loader *loader = &loaders[i];
		const char *args;
		const struct guest_module *module = find_module(modules, loader->role, &args);
		int r;

		if (!module)
			continue;
		r = check_modules(modules, loader, module);
		return r ? r : loader->load(vm, vcpu, modules, module, args);
	}
	pr_err("No guest to run: none of the %u modules has the role of a guest. In grub.cfg, "
	       "after the line multiboot2 /glasshouse.elf, put: module2 /vmlinuz linux <command "
	       "line>. Or, to start the system that is installed on the first disk: multiboot2 "
	       "/glasshouse.elf boot=disk\n",
	       modules->nr);
	pr_err("The roles are:");
	for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++)
		pr_err(" %s", loaders[i].role);
	pr_err("\n");
	for (unsigned i = 0; i < modules->nr; i++)
		pr_err("  module %u: \"%.100s\", %lu bytes\n", i, modules->list[i].string,
		       modules->list[i].size);
	return -ENOENT;
}
