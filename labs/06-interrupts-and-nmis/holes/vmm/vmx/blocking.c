/* SPDX-License-Identifier: MIT */
/*
 * Lab 6, holes 3 to 5, 9 and 10: what holds off events, and the windows that open when it ends.
 * Your file takes the place of vmm/vmx/blocking.c. vmread() and vmwrite() are in
 * arch/x86/vmx_insn.h, the bits in arch/x86/vmx.h. SDM: "Guest Non-Register State".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "lib/log.h"
#include "vmm/vmx/event.h"

/*
 * Hole 9. Virtual NMI blocking: while GUEST_INTR_STATE_NMI is set in GUEST_INTERRUPTIBILITY_INFO,
 * the guest is in an NMI's handler, and can take no other NMI. The delivery of an NMI sets the bit,
 * the guest's IRET clears it, both without an exit. Set or clear it by hand; the other bits stay.
 */
void vmx_set_nmi_blocking(bool blocked)
{
	(void)blocked;
	pr_warn_ratelimited("Lab 6: vmx_set_nmi_blocking() is yours to write.");
}

/*
 * Hole 10. An IRET has caused an exit by a fault, when it read the stack: the exit says so (bit 12,
 * the caller has looked). The IRET will be executed again, but it has unblocked NMIs already: block
 * them again. But if the exit was during the delivery of an event (IDT_VECTORING_INFO_FIELD is
 * valid: INTR_INFO_VALID_MASK), bit 12 means nothing: change nothing. SDM: "Handling Multiple
 * NMIs", "Resuming Guest Software After Handling an Exception".
 */
void vmx_block_nmis_again(void)
{
	pr_warn_ratelimited("Lab 6: vmx_block_nmis_again() is yours to write.");
}

/*
 * Hole 3. Can the guest take an NMI now? Not in the shadow of STI or MOV SS, nor in the handler of
 * an NMI: GUEST_INTERRUPTIBILITY_INFO. RFLAGS.IF does not matter.
 */
bool vmx_nmi_allowed(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: vmx_nmi_allowed() is yours to write.");
	return true;
}

/*
 * Hole 4. Exit as soon as the guest can take an NMI: vmx_set_cpu_based(to_vmx(vcpu), set, clear)
 * sets and clears bits of the primary processor-based controls. The bit for this is
 * CPU_BASED_NMI_WINDOW_EXITING. But in the shadow of an STI some CPUs open that window at once: use
 * the window for interrupts there, CPU_BASED_INTR_WINDOW_EXITING, which opens when the shadow ends.
 */
void vmx_enable_nmi_window(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: vmx_enable_nmi_window() is yours to write.");
}

/*
 * Hole 5. The exit handler for both windows: one has opened. Without you it would exit again at the
 * next instruction, for ever: clear both bits. Call vmx_interrupt_window(vcpu), in case that
 * somebody waits for an interrupt. Post REQ_EVENT in vcpu->requests, by __atomic_or_fetch(), so
 * that deliver_nmi() is called before the next entry. Return 1: enter the guest again.
 */
int handle_window(struct vcpu *vcpu)
{
	STEP(handle_window);
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: handle_window() is yours to write.");
	return 1;
}

/* Given. SDM: "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest Non-Register State". */
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
