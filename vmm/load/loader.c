/* SPDX-License-Identifier: MIT */
/*
 * Find the loader for the guest's module, by its role.
 */
#include "vmm/load/loader.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/memslot.h"

/* The roles of guests. Other roles are only used together with one of these. */
static const struct {
	const char *role;
	loader_fn *load;
} loaders[] = {
	{"linux", load_linux},           {"linux16", load_linux16}, {"multiboot", load_multiboot1},
	{"multiboot2", load_multiboot2}, {"raw", load_raw},
};

const char *module_arguments(const struct guest_module *module, const char *role)
{
	const char *string = module->string;
	size_t n = strlen(role);

	if (strncmp(string, role, n) != 0 || (string[n] && string[n] != ' '))
		return NULL;
	string += n;
	while (*string == ' ')
		string++;
	return string;
}

const struct guest_module *find_module(const struct guest_modules *modules, const char *role,
				       const char **arguments)
{
	for (unsigned i = 0; i < modules->nr; i++) {
		const char *args = module_arguments(&modules->list[i], role);

		if (args) {
			*arguments = args;
			return &modules->list[i];
		}
	}
	return NULL;
}

const void *module_bytes(struct vm *vm, const struct guest_module *module)
{
	const void *bytes = gpa_to_ptr(vm, module->start, module->size);

	if (!bytes)
		pr_err("The module \"%s\" at %lx, %lu bytes, is not in memory that the firmware "
		       "reports. Check the boot loader and its configuration.\n",
		       module->string, module->start, module->size);
	return bytes;
}

int load_guest(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules)
{
	for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++) {
		const char *args;
		const struct guest_module *module = find_module(modules, loaders[i].role, &args);

		if (module)
			return loaders[i].load(vm, vcpu, modules, module, args);
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
		pr_err("  module %u: \"%s\", %lu bytes\n", i, modules->list[i].string,
		       modules->list[i].size);
	return -ENOENT;
}
