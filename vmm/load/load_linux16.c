/* SPDX-License-Identifier: MIT */
/*
 * Load the role "linux16": a Linux kernel that starts in its real-mode setup code.
 */
#include "vmm/load/linux.h"
#include "vmm/load/loader.h"
#include "vmm/x86/start.h"
#include "vmm/virt_ops.h"

/* Protocol: "Running the Kernel". */
int start_linux_setup(struct vcpu *vcpu, const struct linux_plan *plan)
{
	u16 segment = (u16)(plan->setup >> 4);
	struct segment data;
	int r = start_real_mode(vcpu, segment + 0x20, 0);

	for (enum segment_reg s = SEG_ES; !r && s <= SEG_GS; s++) {
		if (s == SEG_CS)
			continue;
		virt->get_segment(vcpu, s, &data);
		data.selector = segment;
		data.base = plan->setup;
		virt->set_segment(vcpu, s, &data);
	}
	if (!r)
		virt->set_sysreg(vcpu, SYSREG_RSP, LINUX_SETUP_STACK);
	return r;
}

int load_linux16(struct vm *vm, struct vcpu *vcpu, const struct guest_modules *modules,
		 const struct guest_module *kernel, const char *cmdline)
{
	return load_linux_kernel(true, vm, vcpu, modules, kernel, cmdline);
}
