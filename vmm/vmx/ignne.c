/* SPDX-License-Identifier: MIT */
/*
 * x87 errors while the guest's CR0.NE is 0. VMX operation needs NE to be 1, so the CPU raises #MF:
 * it exits, and the VM decides what the machine does (vm_ops.fpu_error).
 *
 * The machine may have the CPU ignore the error until the guest has cleared it, by the CPU's input
 * IGNNE#, which has no effect while NE is 1. Meanwhile TS is set, so that each x87 instruction is
 * an exit (#NM). It is executed alone, as a single step. If it waits for the pending error (#MF),
 * all errors are masked for it. An interrupt that arrives before that step, or a fault in it,
 * pushes TF set: the step follows the handler's IRET. SDM: "MS-DOS Compatibility Sub-mode".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/fpu.h"
#include "vmm/event.h"
#include "vmm/vm_ops.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"

#define DEBUG_BREAKPOINTS GENMASK(3, 0)

/* Set both states, and what of the guest's CR0 depends on them. */
static void set_state(struct vcpu *vcpu, bool ignne, bool step)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 cr0 = vmx_get_cr0(vcpu);

	vmx->ignne = ignne;
	vmx->fpu_step = step;
	vmx_set_cr0(vcpu, cr0);
}

void vmx_ignore_fpu_error(struct vcpu *vcpu)
{
	if (fpu_error_pending())
		set_state(vcpu, true, false);
}

/* A VM entry refuses TF in the shadow of STI or MOV SS. The shadow has lasted for the instruction
 * that exited. SDM: "Checks on Guest Non-Register State". */
static void step(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 rflags = vmread(GUEST_RFLAGS);

	if (vmx->fpu_step)
		return;
	vmx->guest_tf = rflags & RFLAGS_TF;
	vmwrite(GUEST_RFLAGS, rflags | RFLAGS_TF);
	vmwrite(GUEST_INTERRUPTIBILITY_INFO,
		vmread(GUEST_INTERRUPTIBILITY_INFO) &
			~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	set_state(vcpu, true, true);
}

int handle_fpu_error(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!vmx->ignne) {
		vcpu->vm->ops->fpu_error(vcpu);
		return 1;
	}
	if (!vmx->fpu_masked)
		vmx->fcw = fpu_mask_errors();
	vmx->fpu_masked = true;
	step(vcpu);
	return 1;
}

int handle_no_fpu(struct vcpu *vcpu)
{
	if (vmx_get_cr0(vcpu) & (CR0_TS | CR0_EM))
		queue_exception(vcpu, NM_VECTOR);
	else
		step(vcpu);
	return 1;
}

void vmx_end_fpu_step(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->fpu_masked)
		fpu_unmask_errors(vmx->fcw);
	vmx->fpu_masked = false;
	if (!vmx->fpu_step)
		return;
	if (!vmx->guest_tf)
		vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) & ~RFLAGS_TF);
	set_state(vcpu, fpu_error_pending(), false);
}

/* The step's #DB. What the guest itself has asked for is pending after it. */
int handle_debug(struct vcpu *vcpu)
{
	u64 reasons = exit_qualification(vcpu), pending = reasons & DEBUG_BREAKPOINTS;

	if (!(reasons & PENDING_DBG_BS)) {
		write_dr6((read_dr6() & ~DEBUG_BREAKPOINTS) | reasons);
		queue_exception(vcpu, DB_VECTOR);
		return 1;
	}
	vmx_end_fpu_step(vcpu);
	if (pending)
		pending |= PENDING_DBG_ENABLED_BP;
	if (to_vmx(vcpu)->guest_tf)
		pending |= PENDING_DBG_BS;
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, pending);
	return 1;
}
