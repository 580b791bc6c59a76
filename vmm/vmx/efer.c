/* SPDX-License-Identifier: MIT */
/*
 * The guest's IA32_EFER. With EPT it is in the VMCS, and the guest accesses it without an exit.
 * Shadow page tables need another value in the CPU: NXE is always 1; the guest's LME counts once
 * paging is on, for the CPU's paging always is. Without controls that switch IA32_EFER, entries and
 * exits set LMA and LME by the controls for the modes of guest and host; the other bits are
 * the machine's: of those, only SCE is the guest's. SDM: "Loading Guest Control Registers, Debug
 * Registers, and MSRs", "Loading Host Control Registers, Debug Registers, MSRs".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "vmm/vmx/vmx.h"

u64 vmx_get_efer(const struct vcpu *vcpu)
{
	return vmcs_config.has_ept ? vmread(GUEST_IA32_EFER)
				   : ((const struct vcpu_vmx *)vcpu)->efer;
}

/* Returns the value for the CPU while the guest's is @efer. */
static u64 for_shadow(u64 efer)
{
	return (efer & EFER_SCE) | EFER_NX | (efer & EFER_LMA ? EFER_LMA | EFER_LME : 0);
}

void vmx_set_efer(struct vcpu *vcpu, u64 efer)
{
	u32 entry = (u32)vmread(VM_ENTRY_CONTROLS) & ~(u32)VM_ENTRY_IA32E_MODE;

	to_vmx(vcpu)->efer = efer;
	if (!vmcs_config.has_ept)
		vmx_reload_shadow(vcpu);
	if (!vmcs_config.has_efer)
		wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & ~EFER_SCE) | (efer & EFER_SCE));
	else
		vmwrite(GUEST_IA32_EFER, vmcs_config.has_ept ? efer : for_shadow(efer));
	vmwrite(VM_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? VM_ENTRY_IA32E_MODE : 0));
}

/* SDM: "IA32_EFER" in the MSR's table: LMA is read-only; LME cannot change while paging is on. */
int vmx_write_efer(struct vcpu *vcpu, u64 value)
{
	u64 old = vmx_get_efer(vcpu), features = cpuid(0x80000001, 0).edx;
	u64 known = EFER_LMA | (features & BIT(11) ? EFER_SCE : 0) |
		    (features & BIT(20) ? EFER_NX : 0) | (features & BIT(29) ? EFER_LME : 0);

	if (value & ~known || ((value ^ old) & EFER_LME && vmx_get_cr0(vcpu) & CR0_PG))
		return -EINVAL;
	vmx_set_efer(vcpu, (value & ~EFER_LMA) | (old & EFER_LMA));
	return 0;
}
