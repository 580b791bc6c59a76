/* SPDX-License-Identifier: MIT */
/*
 * Who steps a vCPU. See step.h. The run loop makes the step (step_guest() in vcpu.c), by
 * virt->begin_step and virt->end_step.
 */
#include "vmm/step.h"

/* While anybody steps, REQ_STEP is posted, so that the run loop looks before each entry. */
void vcpu_step(struct vcpu *vcpu, enum step_user user, void (*stepped)(struct vcpu *vcpu))
{
	vcpu->stepped[user] = stepped;
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_STEP, __ATOMIC_ACQ_REL);
}

void vcpu_cancel_step(struct vcpu *vcpu, enum step_user user)
{
	vcpu->stepped[user] = NULL; /* the run loop takes REQ_STEP back when nobody is left */
}
