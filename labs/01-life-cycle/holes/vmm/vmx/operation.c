/* SPDX-License-Identifier: MIT */
/*
 * Lab 1, holes 3, 4 and 6: VMX operation. Your file takes the place of vmm/vmx/operation.c. The VMX
 * instructions are functions of arch/x86/vmx_insn.h: each returns 0, or an error if the instruction
 * fails.
 *
 * STEP_ONCE(name) marks the place of a step for the monitor's command "cycle init". Leave each one
 * where its comment says.
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/steps.h"
#include "vmm/vmx/vmx.h"

/*
 * Hole 3. Enter VMX operation. The region at @vmxon_pointer (a physical address) is ready.
 *
 * Before VMXON, set the bits of CR0 and CR4 that VMX operation fixes to 1, and clear those that it
 * fixes to 0 (vmx_capability.cr0_fixed0, .cr0_fixed1, the same for CR4: their meaning is that of
 * hole 1's two halves). CR4.VMXE is one of them. Return what VMXON returns.
 */
int cpu_vmxon(u64 vmxon_pointer)
{
	(void)vmxon_pointer;
	pr_info("Lab 1: cpu_vmxon() is yours to write.\n");
	STEP_ONCE(vmxon); /* right before VMXON */
	return -EIO;
}

/*
 * Hole 4. Make the VMCS at @pa (a physical address) the current VMCS of this CPU, and its launch
 * state "clear", whatever its memory held before. Return 0, or the error of the instruction that
 * has failed.
 */
int vmcs_load(u64 pa)
{
	(void)pa;
	pr_info("Lab 1: vmcs_load() is yours to write.\n");
	STEP_ONCE(vmclear); /* right before VMCLEAR */
	STEP_ONCE(vmptrld); /* right before VMPTRLD */
	return -EIO;
}

/*
 * Hole 6. Leave VMX operation. The VMCS at @pa (a physical address; 0: there is none) must be
 * complete in memory then, and clear: a CPU may keep a part of it in itself until it is told
 * otherwise. Afterwards CR4.VMXE is 0.
 */
void cpu_vmxoff(u64 pa)
{
	(void)pa;
	pr_info("Lab 1: cpu_vmxoff() is yours to write.\n");
}
