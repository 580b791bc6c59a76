/* SPDX-License-Identifier: MIT */
/*
 * Which module is what, and the state in which the guest starts.
 */
#include "vmm/loader.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/linux.h"
#include "vmm/virt_ops.h"

#define AR_CODE64 0xa09b /* present, DPL 0, code, readable, accessed, L, G */
#define AR_DATA	  0xc093
#define AR_TSS	  0x008b
#define AR_LDT	  0x0082

/* Returns what follows the first word of @string if that word is @word, else NULL. */
static const char *arguments_of(const char *string, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(string, word, n) || (string[n] && string[n] != ' '))
		return NULL;
	string += n;
	while (*string == ' ')
		string++;
	return string;
}

static const struct guest_module *find_module(const struct guest_modules *modules, const char *role,
					      const char **arguments)
{
	for (unsigned i = 0; i < modules->nr; i++) {
		const char *args = arguments_of(modules->list[i].string, role);

		if (args) {
			*arguments = args;
			return &modules->list[i];
		}
	}
	return NULL;
}

static void *gpa_to_ptr(u64 gpa, u64 len)
{
	return paging_is_mapped(gpa) && paging_is_mapped(gpa + len - 1) ? phys_to_virt(gpa) : NULL;
}

/* SDM: "IA-32e Mode: Initialization"; Linux: "64-bit Boot Protocol". */
static void enter_long_mode(struct vcpu *vcpu, const struct linux_plan *plan)
{
	static const struct segment code = {
		.limit = 0xffffffff, .selector = LINUX_BOOT_CS, .ar = AR_CODE64};
	static const struct segment data = {
		.limit = 0xffffffff, .selector = LINUX_BOOT_DS, .ar = AR_DATA};
	static const struct segment none = {.unusable = true};
	static const struct segment tr = {.limit = 0x67, .ar = AR_TSS};
	struct segment gdt = {.base = plan->gdt, .limit = plan->gdt_limit};

	virt->vcpu_reset(vcpu, false);
	virt->set_segment(vcpu, SEG_CS, &code);
	virt->set_segment(vcpu, SEG_DS, &data);
	virt->set_segment(vcpu, SEG_ES, &data);
	virt->set_segment(vcpu, SEG_SS, &data);
	virt->set_segment(vcpu, SEG_FS, &none);
	virt->set_segment(vcpu, SEG_GS, &none);
	virt->set_segment(vcpu, SEG_LDTR, &none);
	virt->set_segment(vcpu, SEG_TR, &tr);
	virt->set_segment(vcpu, SEG_GDTR, &gdt);
	virt->set_sysreg(vcpu, SYSREG_CR3, plan->cr3);
	virt->set_sysreg(vcpu, SYSREG_CR4, CR4_PAE);
	virt->set_sysreg(vcpu, SYSREG_EFER, EFER_LME | EFER_LMA);
	virt->set_sysreg(vcpu, SYSREG_CR0, CR0_PG | CR0_NE | CR0_ET | CR0_PE);
	virt->set_sysreg(vcpu, SYSREG_RIP, plan->entry);
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs[VCPU_RSI] = plan->boot_params;
}

static int load_linux(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
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
	const void *bytes = gpa_to_ptr(kernel->start, kernel->size);
	int r;

	if (initrd) {
		in.initrd = initrd->start;
		in.initrd_size = initrd->size;
	}
	if (!bytes) {
		pr_err("The module \"linux\" at %llx, %llu bytes, is not in memory that the firmware reports. Check "
		       "the boot loader.\n",
		       (unsigned long long)kernel->start, (unsigned long long)kernel->size);
		return -EFAULT;
	}
	r = linux_check(bytes, kernel->size, &image);
	if (!r)
		r = linux_plan(&image, &vm->memmap, &in, &plan);
	if (!r)
		r = linux_load(&plan, &in, &vm->memmap, gpa_to_ptr);
	if (r)
		return r;
	enter_long_mode(vcpu, &plan);
	pr_info("Linux: boot protocol %u.%02u, kernel at %llx, initrd %llu KiB at %llx, command line \"%s\"\n",
		image.version >> 8, image.version & 0xff, (unsigned long long)plan.kernel,
		(unsigned long long)in.initrd_size >> 10, (unsigned long long)plan.initrd, cmdline);
	return 0;
}

int load_guest(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules)
{
	const char *args;
	const struct guest_module *kernel = find_module(modules, "linux", &args);

	if (kernel)
		return load_linux(vm, vcpu, modules, kernel, args);
	pr_err("No guest to run: none of the %u modules has the role \"linux\". In grub.cfg, after the line "
	       "multiboot2 /glasshouse.elf, put: module2 /vmlinuz linux <command line>\n",
	       modules->nr);
	for (unsigned i = 0; i < modules->nr; i++)
		pr_err("  module %u: \"%s\", %llu bytes\n", i, modules->list[i].string,
		       (unsigned long long)modules->list[i].size);
	return -ENOENT;
}
