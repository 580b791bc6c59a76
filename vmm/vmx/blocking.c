/* SPDX-License-Identifier: MIT */
/*
 * What holds off events: the blocking by NMI, STI and MOV SS; and the windows that open when it
 * ends.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "vmm/vmx/event.h"

/* Set or clear "blocking by NMI": whether NMIs are blocked until the guest's next IRET. */
void vmx_set_nmi_blocking(bool blocked)
{
	u64 info = vmread(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI;

	vmwrite(GUEST_INTERRUPTIBILITY_INFO, blocked ? info | GUEST_INTR_STATE_NMI : info);
}

void vmx_block_nmis_again(void)
{
	if (!(vmread(IDT_VECTORING_INFO_FIELD) & INTR_INFO_VALID_MASK))
		vmx_set_nmi_blocking(true);
}

bool vmx_nmi_allowed(struct vcpu *vcpu)
{
	u64 blocked = GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS | GUEST_INTR_STATE_NMI;

	(void)vcpu;
	return !(vmread(GUEST_INTERRUPTIBILITY_INFO) & blocked);
}

void vmx_enable_nmi_window(struct vcpu *vcpu)
{
	u32 window = CPU_BASED_NMI_WINDOW_EXITING;

	/* After STI, some CPUs open the NMI window at once although NMIs are blocked: use the
	 * interrupt window, which opens when the blocking ends. */
	if (vmread(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI)
		window = CPU_BASED_INTR_WINDOW_EXITING;
	vmx_set_cpu_based(to_vmx(vcpu), window, 0);
}

int handle_window(struct vcpu *vcpu)
{
	STEP(handle_window);
	vmx_set_cpu_based(to_vmx(vcpu), 0,
			  CPU_BASED_NMI_WINDOW_EXITING | CPU_BASED_INTR_WINDOW_EXITING);
	vmx_interrupt_window(vcpu);
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
	return 1;
}

/* SDM: "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest Non-Register State". */
bool vmx_rflags_allowed(struct vcpu *vcpu, u64 rflags)
{
	u64 blocked = vmread(GUEST_INTERRUPTIBILITY_INFO);
	bool interrupt = vcpu->event.valid && vcpu->event.type == EVENT_EXT_INTR;
	bool steps = rflags & RFLAGS_TF && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF);
	bool step_pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS) & PENDING_DBG_BS;

	if (!(rflags & RFLAGS_IF) && (interrupt || blocked & GUEST_INTR_STATE_STI))
		return false;
	if (!(blocked & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)) &&
	    vmread(GUEST_ACTIVITY_STATE) != GUEST_ACTIVITY_HLT)
		return true;
	return steps == step_pending;
}
