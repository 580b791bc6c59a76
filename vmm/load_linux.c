/* SPDX-License-Identifier: MIT */
/*
 * The role "linux": a kernel, and the module "initrd" if there is one.
 */
#include "errno.h"
#include "lib/log.h"
#include "vmm/linux.h"
#include "vmm/loader.h"
#include "vmm/start.h"

int load_linux(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
	       const struct guest_module *kernel, const char *cmdline)
{
	static struct linux_plan plan;
	static struct linux_image image;
	const char *ignored;
	const struct guest_module *initrd = find_module(modules, "initrd", &ignored);
	struct linux_input in = {
		.kernel = kernel->start,
		.cmdline = cmdline,
		.rsdp = modules->rsdp,
		.fb = modules->fb,
	};
	const void *bytes = module_bytes(kernel);
	int r;

	if (initrd && !initrd->size) {
		pr_err("module initrd: size is 0: an empty file; give Linux its initrd "
		       "(Debian: /boot/initrd.img-*), or leave the line out\n");
		return -ENOEXEC;
	}
	if (initrd) {
		if (!module_bytes(initrd))
			return -EFAULT;
		in.initrd = initrd->start;
		in.initrd_size = initrd->size;
	}
	if (!bytes)
		return -EFAULT;
	r = linux_check(bytes, kernel->size, &image);
	if (!r)
		r = linux_plan(&image, &vm->memmap, &in, &plan);
	if (!r)
		r = linux_load(&plan, &in, &vm->memmap, gpa_to_ptr);
	if (r)
		return r;
	start_long_mode(vcpu, plan.entry, plan.cr3, plan.gdt, plan.gdt_limit);
	vcpu->regs[VCPU_RSI] = plan.boot_params;
	pr_info("Linux: boot protocol %u.%02u, kernel at %llx, initrd %llu KiB at %llx, command "
		"line \"%s\"\n",
		image.version >> 8, image.version & 0xff, (unsigned long long)plan.kernel,
		(unsigned long long)in.initrd_size >> 10, (unsigned long long)plan.initrd, cmdline);
	return 0;
}
