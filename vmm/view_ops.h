/* SPDX-License-Identifier: MIT */
/*
 * What the rest of vmm/ tells the views (view.h) of a VM that has some: vm->view_ops, NULL where
 * there has been none.
 */
#ifndef GH_VMM_VIEW_OPS_H
#define GH_VMM_VIEW_OPS_H

#include "types.h"

struct page_fault;
struct vcpu;
struct vm;

struct view_ops {
	/* Handle a fault by the second-level tables, as mmu_page_fault(). */
	int (*page_fault)(struct vcpu *vcpu, const struct page_fault *fault);
	/* write_guest() has written the page of @gpa. */
	void (*written)(struct vm *vm, gpa_t gpa);
	/* @buf has @n bytes of guest memory at @gpa, all of one page: change it to what @vcpu
	 * executes there. */
	void (*code)(struct vcpu *vcpu, gpa_t gpa, u8 *buf, size_t n);

	/* On the vCPU's CPU: */

	/* Handle REQ_VIEW, if it is posted: the tables have changed. */
	void (*load)(struct vcpu *vcpu);
	/* If @vcpu uses a view: the guest does not execute the instruction now for which it does.
	 */
	void (*cancel)(struct vcpu *vcpu);
	/* vcpu->event is about to be injected: cancel, if that is an interrupt or an NMI which
	 * comes before the instruction. */
	void (*event)(struct vcpu *vcpu);
};

#endif
