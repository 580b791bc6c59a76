/* SPDX-License-Identifier: MIT */
/*
 * What kind of VM a vCPU belongs to. struct virt_ops (virt_ops.h) says what kind of CPU runs a
 * guest; this table says what is behind the guest's accesses: for VM 0 (vmm/vm0/) the machine
 * itself. The run loop and the exit handlers know no VM by name.
 *
 * All of these run on the vCPU's own CPU. Those that return an int return what an exit handler
 * returns: 1 to stay in the run loop, 0 to leave it, a negative error when the guest cannot go on.
 */
#ifndef GH_VM_OPS_H
#define GH_VM_OPS_H

#include "types.h"

struct vcpu;
struct page_fault;
struct pio_access;

struct vm_ops {
	/* For messages: "VM 0". */
	const char *name;

	/* The second-level tables do not allow an access: @fault->kind is FAULT_SECOND_LEVEL. */
	int (*page_fault)(struct vcpu *vcpu, const struct page_fault *fault);

	/*
	 * One access of IN, OUT, INS or OUTS to a port that exits. @value: what OUT writes. Returns
	 * what IN reads.
	 */
	u32 (*pio)(struct vcpu *vcpu, const struct pio_access *io, u32 value);

	/* An MSR that exits. Return 0, or -EINVAL: the guest gets #GP(0). */
	int (*rdmsr)(struct vcpu *vcpu, u32 msr, u64 *value);
	int (*wrmsr)(struct vcpu *vcpu, u32 msr, u64 value);

	/* VMCALL. The callee skips the instruction or queues #UD. */
	int (*hypercall)(struct vcpu *vcpu);

	/* INIT: the registers have been reset; reset the local APIC and choose the mp_state. */
	void (*init)(struct vcpu *vcpu);
	/* A SIPI has made the vCPU runnable. */
	void (*started)(struct vcpu *vcpu);
	/* An NMI that is no kick has hit the CPU, in root or in non-root mode. */
	void (*nmi)(struct vcpu *vcpu);
	/* The guest has caused a triple fault. */
	int (*triple_fault)(struct vcpu *vcpu);
	/* @requests: bits of the VM's own, REQ_VM and above (vcpu.h), which have been cleared. */
	int (*request)(struct vcpu *vcpu, u32 requests);
};

#endif
