/* SPDX-License-Identifier: MIT */
/*
 * Debug registers that the guest and a debugger share (vmm/debug_registers.h), and steps without
 * interrupts.
 */
#include "arch/x86/cpu.h"
#include "vmm/debug_registers.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"

void vmx_load_debug(struct vcpu *vcpu)
{
	u32 exiting = (u32)vmx_allowed1(&vmx_capability, VMX_PROC) & CPU_BASED_MOV_DR_EXITING;

	vmwrite(GUEST_DR7, vcpu->debug.dr7);
	if (vcpu->debug.on)
		vmx_set_cpu_based(to_vmx(vcpu), exiting, 0);
	else if (!(to_vmx(vcpu)->icepts & BIT(ICEPT_DR)))
		vmx_set_cpu_based(to_vmx(vcpu), 0, exiting);
}

/* The registers are shared with a debugger, or `icept` wants to see the accesses. SDM: "Exit
 * Qualification for MOV DR". */
int handle_dr(struct vcpu *vcpu)
{
	u64 qual = exit_qualification(vcpu);

	if (!vcpu->debug.on && vmx_handle_icept(vcpu))
		return 1;
	emulate_mov_dr(vcpu, DR_QUAL_NUMBER(qual), DR_QUAL_REGISTER(qual), !(qual & DR_QUAL_FROM));
	return 1;
}

/* By the shadow of an STI, which a VM entry accepts with IF set, and without a trap flag of the
 * guest's own. An event that is to be injected comes first anyway. SDM: "Checks on Guest
 * Non-Register State". */
void vmx_delay_interrupts(struct vcpu *vcpu)
{
	u64 rflags = vmread(GUEST_RFLAGS), info = vmread(GUEST_INTERRUPTIBILITY_INFO);

	if (!(rflags & RFLAGS_IF) || rflags & RFLAGS_TF || vcpu->event.valid || vcpu->nmi_pending ||
	    info || vmread(GUEST_PENDING_DBG_EXCEPTIONS) ||
	    vmread(GUEST_ACTIVITY_STATE) != GUEST_ACTIVITY_ACTIVE)
		return;
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, GUEST_INTR_STATE_STI);
}
