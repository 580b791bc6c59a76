/* SPDX-License-Identifier: MIT */
/*
 * x87 errors while the guest's CR0.NE is 0. VMX operation needs NE to be 1, so the CPU raises #MF:
 * it exits, and the VM decides what the machine does (vm_ops.fpu_error).
 *
 * The machine may have the CPU ignore the error until the guest has cleared it, by the CPU's input
 * IGNNE#, which has no effect while NE is 1. Meanwhile TS is set, so that each x87 instruction is
 * an exit (#NM). It is executed alone, as a step. If it waits for the pending error (#MF), all
 * errors are masked for it. An interrupt that arrives before it, or a fault in it, ends the step:
 * after the handler's IRET it is an exit again. SDM: "MS-DOS Compatibility Sub-mode".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/fpu.h"
#include "vmm/step.h"
#include "vmm/vm_ops.h"
#include "vmm/vmx/vmx.h"

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

void vmx_recheck_fpu_error(struct vcpu *vcpu)
{
	if (to_vmx(vcpu)->ignne)
		set_state(vcpu, fpu_error_pending(), false);
}

void vmx_end_fpu_step(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->fpu_masked)
		fpu_unmask_errors(vmx->fcw);
	vmx->fpu_masked = false;
	vcpu_cancel_step(vcpu, STEP_FPU);
	if (vmx->fpu_step)
		set_state(vcpu, fpu_error_pending(), false);
}

static void step(struct vcpu *vcpu)
{
	if (to_vmx(vcpu)->fpu_step)
		return;
	set_state(vcpu, true, true);
	vcpu_step(vcpu, STEP_FPU, vmx_end_fpu_step);
}

/* The shadow of STI or MOV SS has lasted for the instruction that exited. */
static void end_shadow(void)
{
	vmwrite(GUEST_INTERRUPTIBILITY_INFO,
		vmread(GUEST_INTERRUPTIBILITY_INFO) &
			~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

/* A CPU that waits at the instruction for IRQ 13 takes other interrupts, also after STI: there is
 * no shadow at the next entry, which would keep them off for ever. */
static void handle_fpu_error(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!vmx->ignne) {
		end_shadow();
		vcpu->vm->ops->fpu_error(vcpu);
		return;
	}
	if (!vmx->fpu_masked)
		vmx->fcw = fpu_mask_errors();
	vmx->fpu_masked = true;
	step(vcpu);
}

/* #MF with NE = 1, and #NM that the guest's own TS or EM causes, are the guest's. */
bool vmx_handle_fpu(struct vcpu *vcpu, u8 vector)
{
	u64 cr0;

	if (vector != MF_VECTOR && vector != NM_VECTOR)
		return false;
	cr0 = vmx_get_cr0(vcpu);
	if (vector == MF_VECTOR && !(cr0 & CR0_NE))
		handle_fpu_error(vcpu);
	else if (vector == NM_VECTOR && to_vmx(vcpu)->ignne && !(cr0 & (CR0_TS | CR0_EM)))
		step(vcpu);
	else
		return false;
	return true;
}
