/* SPDX-License-Identifier: MIT */
/*
 * Events at VM entry and exit.
 */
#ifndef GH_VMM_VMX_EVENT_H
#define GH_VMM_VMX_EVENT_H

#include "vmm/exception.h"
#include "vmm/vmx/skip.h"
#include "vmm/vmx/vmx.h"

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

/* Set or clear "blocking by NMI": whether NMIs are blocked until the guest's next IRET. */
void vmx_set_nmi_blocking(bool blocked);

/*
 * The exit was a fault that says that an IRET has caused it. This IRET has unblocked NMIs already,
 * and will be executed again: block them until then. If the exit was during the delivery of an
 * event, the fault says nothing. SDM: "Handling Multiple NMIs", "Resuming Guest Software After
 * Handling an Exception".
 */
void vmx_block_nmis_again(void);

/* The exit handler for the NMI window and the interrupt window. */
int handle_window(struct vcpu *vcpu);

/* For struct virt_ops; see virt_ops.h. */
void vmx_inject_event(struct vcpu *vcpu);
bool vmx_nmi_allowed(struct vcpu *vcpu);
bool vmx_rflags_allowed(struct vcpu *vcpu, u64 rflags);
void vmx_enable_nmi_window(struct vcpu *vcpu);
void vmx_request_immediate_exit(struct vcpu *vcpu);

#endif
