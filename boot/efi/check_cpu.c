/* SPDX-License-Identifier: MIT */
/*
 * What can be known of this CPU while the firmware has the machine, before anything is taken from
 * it.
 */
#include "boot/efi/door.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "boot/efi_switch.h"
#include "vmm/vmx/vmxon_refusal.h"
#include "vmm/x86/cpuid.h"

static bool is_guest(void)
{
	struct cpuid_regs id = cpuid(CPUID_GLASSHOUSE, 0);

	return id.ebx == CPUID_GLASSHOUSE_EBX && id.ecx == CPUID_GLASSHOUSE_ECX &&
	       id.edx == CPUID_GLASSHOUSE_EDX;
}

/* SDM: "Discovering Support for VMX". The image allows VMXON itself if the register is unlocked. */
static bool has_vmx(char *why)
{
	bool vmx = cpuid(1, 0).ecx & BIT(5);
	u64 control = vmx ? rdmsr(MSR_IA32_FEAT_CTL) : 0;

	if (!(control & FEAT_CTL_LOCKED))
		control |= FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	return can_enter_vmx(vmx, control, why);
}

EFI_STATUS door_check_cpu(const struct door *door)
{
	if (is_guest()) {
		door_print(door, "Glasshouse runs already, and this is its guest.\n");
		return EFI_ALREADY_STARTED;
	}
	if (!door_has_xd()) {
		door_print(door,
			   "This CPU has no execute-disable bit (CPUID 80000001h:EDX[20] is 0). "
			   "Switch it on in the firmware's setup: "
			   "XD, NX or \"No-Execute Memory Protection\".\n");
		return EFI_UNSUPPORTED;
	}
	return 0;
}

EFI_STATUS door_check_vmx(const struct door *door)
{
	char why[VMXON_REFUSAL_SIZE];

	if (has_vmx(why))
		return 0;
	door_print(door, "%s", why);
	return EFI_UNSUPPORTED;
}
