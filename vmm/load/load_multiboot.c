/* SPDX-License-Identifier: MIT */
/*
 * Load the roles "multiboot" and "multiboot2": a kernel, and the modules of the role "module", in
 * order.
 */
#include "lib/log.h"
#include "vmm/vm0/bios.h"
#include "vmm/x86/long_mode.h"
#include "vmm/load/multiboot.h"
#include "vmm/x86/start.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

/* Specification: "I386 machine state". */
static void start(struct vcpu *vcpu, const struct multiboot_entry *entry)
{
	struct segment gdt = {.base = entry->gdt, .limit = BOOT_GDT_SIZE - 1};

	start_protected_mode(vcpu, entry->eip);
	virt->set_segment(vcpu, SEG_GDTR, &gdt);
	vcpu->regs[VCPU_RAX] = entry->eax;
	vcpu->regs[VCPU_RBX] = entry->ebx;
}

static int load(int (*loader)(const struct multiboot_input *, struct multiboot_entry *),
		struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		const struct guest_module *kernel, const char *cmdline)
{
	static struct guest_module list[MULTIBOOT_MODULES];
	struct multiboot_input in = {.kernel = {kernel->start, kernel->size, cmdline},
				     .modules = list,
				     .map = &vm->memmap,
				     .fb = modules->fb,
				     .rsdp = modules->rsdp,
				     .vm = vm};
	struct multiboot_entry entry;
	/* Many such kernels switch to real mode to call the BIOS. */
	int r = bios_present(vm) ? bios_init(vm) : 0;

	if (r)
		return r;
	for (unsigned i = 0; i < modules->nr; i++) {
		const char *args = module_arguments(&modules->list[i], "module");

		if (!args)
			continue;
		/* Of too many only the number matters: the loader refuses them. */
		if (in.nr_modules < MULTIBOOT_MODULES)
			list[in.nr_modules] = (struct guest_module){modules->list[i].start,
								    modules->list[i].size, args};
		in.nr_modules++;
	}
	r = loader(&in, &entry);
	if (r)
		return r;
	start(vcpu, &entry);
	pr_info("Multiboot kernel: entry %x, information at %x, %u modules, command line "
		"\"%.200s\"\n",
		entry.eip, entry.ebx, in.nr_modules, cmdline);
	return 0;
}

int load_multiboot1(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		    const struct guest_module *kernel, const char *cmdline)
{
	return load(multiboot1_load, vm, vcpu, modules, kernel, cmdline);
}

int load_multiboot2(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		    const struct guest_module *kernel, const char *cmdline)
{
	return load(multiboot2_load, vm, vcpu, modules, kernel, cmdline);
}
