/* SPDX-License-Identifier: MIT */
/*
 * The operations of a kind of VM. struct virt_ops (virt_ops.h) depends on the CPU that runs the
 * guest; this table defines what the guest's accesses do: in VM 0 (vmm/vm0/) they reach the
 * machine. The run loop and the exit handlers do not depend on the kind of VM.
 *
 * All operations run on the vCPU's own CPU. Unless said otherwise, those that return an int return
 * what an exit handler returns: 1 to enter the guest again, 0 to leave the run loop, or a negative
 * error if the guest cannot continue.
 */
#ifndef GH_VMM_VM_OPS_H
#define GH_VMM_VM_OPS_H

#include "types.h"

struct vcpu;
struct vm;
struct page_fault;
struct pio_access;

struct vm_ops {
	/* For messages: "VM 0". */
	const char *name;

	/* Handle an access that the second-level tables do not allow: @fault->kind is
	 * FAULT_SECOND_LEVEL. */
	int (*page_fault)(struct vcpu *vcpu, const struct page_fault *fault);

	/* Does the VM itself need the second-level entry of the page of @gpa, so that nobody else
	 * may change it: memory that is not the guest's, or a device that is emulated? */
	bool (*keeps_page)(struct vm *vm, gpa_t gpa);

	/*
	 * Emulate one access of IN, OUT, INS or OUTS to a port that exits. @value: the value that
	 * OUT or OUTS writes. Returns the value that IN or INS reads.
	 */
	u32 (*pio)(struct vcpu *vcpu, const struct pio_access *io, u32 value);

	/* Emulate RDMSR and WRMSR of an MSR that exits. Return 0, or -EINVAL to inject #GP(0). */
	int (*rdmsr)(struct vcpu *vcpu, u32 msr, u64 *value);
	int (*wrmsr)(struct vcpu *vcpu, u32 msr, u64 value);

	/* A hypercall instruction. The operation skips the instruction or queues #UD. */
	int (*hypercall)(struct vcpu *vcpu);

	/*
	 * INIT, before the reset. Returns how the vCPU waits for a SIPI: MP_STATE_INIT_RECEIVED (in
	 * root mode), MP_STATE_WAIT_FOR_SIPI (in non-root mode; the reset follows at the SIPI), or
	 * MP_STATE_RUNNABLE (not at all).
	 */
	enum mp_state (*init)(struct vcpu *vcpu);
	/* INIT has reset the registers: reset the local APIC. */
	void (*reset)(struct vcpu *vcpu);
	/* A SIPI has made the vCPU runnable. */
	void (*started)(struct vcpu *vcpu);
	/* An NMI that is not a kick has arrived on the CPU, in root or in non-root mode. */
	void (*nmi)(struct vcpu *vcpu);
	/* An x87 error is pending at a waiting instruction while the guest's CR0.NE is 0: the CPU
	 * does not execute the instruction before the error is cleared or ignored, but accepts
	 * interrupts. Called again at each VM exit that the instruction causes. */
	void (*fpu_error)(struct vcpu *vcpu);
	/* A machine check has hit the CPU in root mode, and the CPU can continue. */
	void (*machine_check)(struct vcpu *vcpu);
	/* The guest has caused a triple fault. To stay in the loop, post an INIT to the vCPU. */
	int (*triple_fault)(struct vcpu *vcpu);
	/* The CPU does not enter the guest in the state that it is in; the reason has been logged.
	 */
	int (*invalid_state)(struct vcpu *vcpu);
	/* Handle @requests. The bits from REQ_VM on (vcpu.h) are the VM's own; they have been
	 * cleared. */
	int (*request)(struct vcpu *vcpu, u32 requests);
};

#endif
