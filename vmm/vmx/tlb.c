/* SPDX-License-Identifier: MIT */
/*
 * Invalidation of cached guest translations. SDM: "Caching Translation Information".
 */
#include "arch/x86/vmx_insn.h"
#include "vmm/vmx/vmx.h"

void vmx_flush_all(void)
{
	if (vmcs_config.has_invept_all)
		invept(VMX_EPT_EXTENT_GLOBAL, 0);
	if (vmcs_config.has_vpid && vmcs_config.has_invvpid_all)
		invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}

void vmx_flush_tlb(struct vcpu *vcpu)
{
	if (vmcs_config.has_invept_single)
		invept(VMX_EPT_EXTENT_CONTEXT, ept_pointer(&vcpu->vm->ept));
	else
		invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

void vmx_flush_guest_tlb(struct vcpu *vcpu)
{
	if (vmcs_config.has_vpid)
		invvpid(vmcs_config.has_invvpid_single ? VMX_VPID_EXTENT_SINGLE_CONTEXT
						       : VMX_VPID_EXTENT_ALL_CONTEXT,
			to_vmx(vcpu)->vpid);
}
