/* SPDX-License-Identifier: MIT */
/*
 * Invalidation of cached guest translations. SDM: "Caching Translation Information".
 */
#include "arch/x86/vmx_insn.h"
#include "vmm/shadow_ops.h"
#include "vmm/vmx/vmx.h"

void vmx_flush_all(void)
{
	if (vmcs_config.has_invept_all)
		invept(VMX_EPT_EXTENT_GLOBAL, 0);
	if (vmcs_config.has_vpid && vmcs_config.has_invvpid_all)
		invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}

static void flush_tables(u64 pointer)
{
	if (vmcs_config.has_invept_single)
		invept(VMX_EPT_EXTENT_CONTEXT, pointer);
	else
		invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

void vmx_flush_tlb(struct vcpu *vcpu)
{
	if (vmcs_config.has_ept)
		flush_tables(ept_pointer(&vcpu->vm->ept));
	else
		vcpu->vm->shadow_ops->drop(vcpu->vm);
}

void vmx_use_tables(struct vcpu *vcpu, u64 pointer, bool flush)
{
	(void)vcpu;
	if (flush)
		flush_tables(pointer);
	vmwrite(EPT_POINTER, pointer);
}

void vmx_use_subpages(struct vcpu *vcpu, u64 pointer)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmwrite(SPP_TABLE_POINTER, pointer);
	vmx->secondary |= SECONDARY_EXEC_SUBPAGE_WRITE_PERMISSION;
	vmwrite(SECONDARY_VM_EXEC_CONTROL, vmx->secondary);
}

void vmx_flush_guest_tlb(struct vcpu *vcpu)
{
	if (vmcs_config.has_vpid)
		invvpid(vmcs_config.has_invvpid_single ? VMX_VPID_EXTENT_SINGLE_CONTEXT
						       : VMX_VPID_EXTENT_ALL_CONTEXT,
			to_vmx(vcpu)->vpid);
}
