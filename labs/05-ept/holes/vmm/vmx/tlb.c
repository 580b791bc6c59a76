/* SPDX-License-Identifier: MIT */
/*
 * Lab 5, hole 6: INVEPT. Your file takes the place of vmm/vmx/tlb.c. SDM: "Caching Translation
 * Information", "INVEPT—Invalidate Translations Derived from EPT".
 */
#include "arch/x86/vmx_insn.h"
#include "lib/log.h"
#include "vmm/shadow_ops.h"
#include "vmm/vmx/vmx.h"

void vmx_flush_all(void)
{
	if (vmcs_config.has_invept_all)
		invept(VMX_EPT_EXTENT_GLOBAL, 0);
	if (vmcs_config.has_vpid && vmcs_config.has_invvpid_all)
		invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}

/*
 * Hole 6. A CPU caches what it has found in the EPT's tables, and does not notice that an entry has
 * changed. After a change that takes something away, INVEPT must be executed on each CPU that uses
 * the tables. vmx_flush_tlb() is called there, in root mode: have the CPU forget what it has cached
 * from the VM's tables (&vcpu->vm->ept), and only that. ept_pointer() tells their EPT pointer.
 *
 *   invept(VMX_EPT_EXTENT_CONTEXT, pointer)   what belongs to one EPT pointer, on CPUs that can:
 *                                             vmcs_config.has_invept_single
 *   invept(VMX_EPT_EXTENT_GLOBAL, 0)          all, on other CPUs
 *
 * Given: without EPT (vmcs_config.has_ept) the VM has shadow page tables.
 */
void vmx_flush_tlb(struct vcpu *vcpu)
{
	if (!vmcs_config.has_ept) {
		vcpu->vm->shadow_ops->drop(vcpu->vm);
		return;
	}
	pr_info("Lab 5: vmx_flush_tlb() is yours to write.\n");
}

/*
 * Also hole 6. Let the vCPU, which is this CPU's, use the tables of the EPT pointer @pointer from
 * its next entry on: the VMCS field EPT_POINTER. @flush: what was cached from them may be old, so
 * execute INVEPT for @pointer, as above. Without @flush do not: what is cached for the other
 * pointer stays valid.
 */
void vmx_use_tables(struct vcpu *vcpu, u64 pointer, bool flush)
{
	(void)vcpu, (void)pointer, (void)flush;
	pr_info("Lab 5: vmx_use_tables() is yours to write.\n");
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
