/* SPDX-License-Identifier: MIT */
/*
 * VMX operation: entering it, making a VMCS the current one, and leaving it. setup.c calls these.
 */
#include "arch/x86/cpu.h"
#include "vmm/steps.h"
#include "vmm/vmx/vmx.h"

int cpu_vmxon(u64 vmxon_pointer)
{
	write_cr0((read_cr0() | vmx_capability.cr0_fixed0) & vmx_capability.cr0_fixed1);
	write_cr4((read_cr4() | vmx_capability.cr4_fixed0) & vmx_capability.cr4_fixed1);
	STEP_ONCE(vmxon);
	return vmxon(vmxon_pointer);
}

int vmcs_load(u64 pa)
{
	int r;

	STEP_ONCE(vmclear);
	r = vmclear(pa);
	if (r)
		return r;
	STEP_ONCE(vmptrld);
	return vmptrld(pa);
}

void cpu_vmxoff(u64 pa)
{
	if (pa)
		vmclear(pa);
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
}
