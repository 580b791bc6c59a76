/* SPDX-License-Identifier: MIT */
/*
 * Events at VM entry and exit, and the end of an emulated instruction.
 */
#ifndef GH_VMM_VMX_EVENT_H
#define GH_VMM_VMX_EVENT_H

#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/vmx/vmx.h"

/* The rare part of vmx_skip_to(). @rflags, @interruptibility: the guest's values during
 * the instruction. */
void vmx_end_instruction(u64 rflags, u64 interruptibility);

/* End an emulated instruction and continue at @rip: clear RF and the blocking by STI and MOV SS,
 * and make a single-step trap pending if TF is set. */
static inline void vmx_skip_to(u64 rip)
{
	u64 rflags, interruptibility;

	STEP(skip);
	rflags = vmread(GUEST_RFLAGS);
	interruptibility = vmread(GUEST_INTERRUPTIBILITY_INFO);
	vmwrite(GUEST_RIP, rip);
	if (unlikely(interruptibility & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
		vmx_end_instruction(rflags, interruptibility);
	else if (unlikely(rflags & (RFLAGS_RF | RFLAGS_TF)))
		vmx_end_instruction(rflags, interruptibility);
}

/* End the instruction that exited and continue after it. Outside 64-bit code, EIP wraps at 4 GiB.
 */
static inline void vmx_skip_instruction(struct vcpu *vcpu)
{
	u64 length = vmread(VM_EXIT_INSTRUCTION_LEN), rip = exit_rip(vcpu) + length;

	if (unlikely((u32)rip < (u32)length) && !(vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK))
		rip = (u32)rip;
	vmx_skip_to(rip);
}

/* Clear, then set bits of the primary processor-based controls of the loaded VMCS. */
void vmx_set_cpu_based(struct vcpu_vmx *vmx, u32 set, u32 clear);

/* The same for its pin-based and its VM-exit controls. */
void vmx_set_pin_based(struct vcpu_vmx *vmx, u32 set, u32 clear);
void vmx_set_exit_controls(struct vcpu_vmx *vmx, u32 set, u32 clear);

/* See virt_ops.load_exceptions. */
void vmx_load_exceptions(struct vcpu *vcpu);

/* Queue the event that @info, VM_EXIT_INTR_INFO, describes: an interrupt that has exited and has
 * been acknowledged. */
void vmx_queue_interrupt(struct vcpu *vcpu, u64 info);

/*
 * If the exit was during the delivery of an event, queue that event again. SDM:
 * "IDT-Vectoring Information". Handlers of exits that instructions cause need not call it. An
 * exception that the handler queues afterwards is combined with the event.
 */
void vmx_complete_event(struct vcpu *vcpu);

/* Describe the exception of the exit: @info is VM_EXIT_INTR_INFO. */
void vmx_read_exception(u32 info, u64 qualification, struct exception *exception);

/* The VM entry failed before it delivered the injected event: queue the event again. */
void vmx_cancel_injection(struct vcpu *vcpu);

/* For struct virt_ops; see virt_ops.h. */
void vmx_inject_event(struct vcpu *vcpu);
bool vmx_nmi_allowed(struct vcpu *vcpu);
void vmx_enable_nmi_window(struct vcpu *vcpu);
void vmx_request_immediate_exit(struct vcpu *vcpu);

#endif
