/* SPDX-License-Identifier: MIT */
/*
 * The roles "linux" and "linux16": a kernel, and the modules of the role "initrd" as one initrd.
 */
#include "errno.h"
#include "lib/log.h"
#include "vmm/vm0/bios.h"
#include "vmm/load/linux.h"
#include "vmm/load/loader.h"
#include "vmm/x86/start.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

/* Protocol: "32-bit Boot Protocol", "64-bit Boot Protocol". */
static void start_kernel(struct vcpu *vcpu, const struct linux_plan *plan)
{
	struct segment gdt = {.base = plan->gdt, .limit = plan->gdt_limit};

	if (plan->image.long_mode) {
		start_long_mode(vcpu, plan->entry, plan->cr3, plan->gdt, plan->gdt_limit);
	} else {
		start_protected_mode(vcpu, (u32)plan->entry);
		virt->set_segment(vcpu, SEG_GDTR, &gdt);
	}
	vcpu->regs[VCPU_RSI] = plan->boot_params;
}

/* Where the files of the initrd are, the modules of that role in their order. */
static int find_initrd(struct vm *vm, const struct guest_modules *modules, struct linux_input *in)
{
	static struct mem_range files[LINUX_INITRD_FILES];

	in->initrd = files;
	for (unsigned i = 0; i < modules->nr; i++) {
		const struct guest_module *m = &modules->list[i];

		if (!module_arguments(m, "initrd"))
			continue;
		if (!m->size) {
			pr_err("module initrd: size is 0: the file is empty; give an initrd "
			       "(Debian: /boot/initrd.img-*), or remove the line\n");
			return -ENOEXEC;
		}
		if (!module_bytes(vm, m))
			return -EFAULT;
		/* Of too many only the number matters: linux_plan() refuses them. */
		if (in->nr_initrd < LINUX_INITRD_FILES)
			files[in->nr_initrd] =
				(struct mem_range){.base = m->start, .size = m->size};
		in->nr_initrd++;
	}
	return 0;
}

/* Start in the setup code that was loaded by @plan, in real mode, with interrupts disabled.
 * Protocol: "Running the Kernel". */
static void start_linux_setup(struct vcpu *vcpu, const struct linux_plan *plan)
{
	u16 segment = (u16)(plan->setup >> 4);
	struct segment data;

	start_real_mode(vcpu, segment + 0x20, 0);
	for (enum segment_reg s = SEG_ES; s <= SEG_GS; s++) {
		if (s == SEG_CS)
			continue;
		virt->get_segment(vcpu, s, &data);
		data.selector = segment;
		data.base = plan->setup;
		virt->set_segment(vcpu, s, &data);
	}
	virt->set_sysreg(vcpu, SYSREG_RSP, LINUX_SETUP_STACK);
}

/* Load @kernel, and set up @vcpu to start at its 64-bit or 32-bit entry, or with @real_mode in its
 * setup code. */
static int load_linux_kernel(bool real_mode, struct vm *vm, struct vcpu *vcpu,
			     const struct guest_modules *modules, const struct guest_module *kernel,
			     const char *cmdline)
{
	static struct linux_plan plan;
	static struct linux_image image;
	struct linux_input in = {
		.kernel = kernel->start,
		.cmdline = cmdline,
		.real_mode = real_mode,
		.rsdp = modules->rsdp,
		.fb = modules->fb,
	};
	const void *bytes = module_bytes(vm, kernel);
	int r = find_initrd(vm, modules, &in);

	if (!r && real_mode)
		r = bios_init(vm);
	if (r)
		return r;
	if (!bytes)
		return -EFAULT;
	r = linux_check(bytes, kernel->size, &image);
	if (!r)
		r = linux_plan(&image, &vm->memmap, &in, &plan);
	if (!r)
		r = linux_load(vm, &plan, &in, &vm->memmap);
	if (r)
		return r;
	if (real_mode)
		start_linux_setup(vcpu, &plan);
	else
		start_kernel(vcpu, &plan);
	pr_info("Linux: boot protocol %u.%02u, %s, kernel at %lx, initrd %lu KiB at %lx\n",
		image.version >> 8, image.version & 0xff,
		real_mode         ? "real mode"
		: image.long_mode ? "64 bits"
				  : "32 bits",
		plan.kernel, plan.initrd_size >> 10, plan.initrd);
	pr_debug("Linux: command line \"%s\"\n", cmdline);
	return 0;
}

int load_linux(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
	       const struct guest_module *kernel, const char *cmdline)
{
	return load_linux_kernel(false, vm, vcpu, modules, kernel, cmdline);
}

int load_linux16(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		 const struct guest_module *kernel, const char *cmdline)
{
	return load_linux_kernel(true, vm, vcpu, modules, kernel, cmdline);
}
