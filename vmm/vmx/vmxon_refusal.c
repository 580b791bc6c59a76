/* SPDX-License-Identifier: MIT */
/*
 * Why a CPU cannot enter VMX operation. Pure, because the UEFI front door asks it, too, before it
 * touches the machine. See vmxon_refusal.h.
 */
#include "vmm/vmx/vmxon_refusal.h"
#include "arch/x86/msr_index.h"
#include "lib/print.h"

bool can_enter_vmx(bool cpuid_vmx, u64 feature_control, char *why)
{
	if (!cpuid_vmx)
		snprintf(why, VMXON_REFUSAL_SIZE,
			 "  VT-x      none: CPUID.1:ECX.VMX is 0. Glasshouse needs an Intel CPU "
			 "with VT-x.\n"
			 "            If this CPU has it, switch it on in the firmware's setup; in "
			 "a\n"
			 "            virtual machine, switch on nested virtualization (QEMU: -cpu "
			 "host on\n"
			 "            an Intel host with KVM), or use Bochs.\n");
	else if (!(feature_control & FEAT_CTL_LOCKED))
		snprintf(
			why, VMXON_REFUSAL_SIZE,
			"  VT-x      is off: IA32_FEATURE_CONTROL (0x%lx) is unlocked, but a write "
			"that\n"
			"            would allow VMXON causes #GP. In a virtual machine, switch on "
			"nested\n"
			"            virtualization on the host.\n",
			feature_control);
	else if (!(feature_control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		snprintf(why, VMXON_REFUSAL_SIZE,
			 "  VT-x      is off in the firmware: IA32_FEATURE_CONTROL (0x%lx) is "
			 "locked\n"
			 "            without VMXON. Switch on \"Intel Virtualization Technology\" "
			 "(VT-x,\n"
			 "            VMX) in the firmware's setup, usually under Advanced or CPU, "
			 "and\n"
			 "            switch the machine off and on.\n",
			 feature_control);
	else
		return true;
	return false;
}
