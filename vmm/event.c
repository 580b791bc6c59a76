/* SPDX-License-Identifier: MIT */
/*
 * Queueing of exceptions and interrupts. See event.h.
 */
#include "vmm/event.h"
#include "arch/x86/cpu.h"
#include "vmm/steps.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

/* SDM: "Interrupt 8—Double Fault Exception (#DF)": the classes of exceptions. */
static bool is_contributory(u8 vector)
{
	return vector == DE_VECTOR || (vector >= TS_VECTOR && vector <= GP_VECTOR) ||
	       vector == CP_VECTOR;
}

static bool makes_double_fault(u8 first, u8 second)
{
	if (first == PF_VECTOR)
		return second == PF_VECTOR || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

void queue_event(struct vcpu *vcpu, struct vcpu_event event)
{
	const struct vcpu_event *first = &vcpu->event;

	STEP(queue_exception);
	if (first->valid && first->type == EVENT_EXCEPTION) {
		if (first->vector == DF_VECTOR &&
		    (event.vector == PF_VECTOR || is_contributory(event.vector))) {
			__atomic_or_fetch(&vcpu->requests, (u32)REQ_TRIPLE_FAULT, __ATOMIC_ACQ_REL);
			return;
		}
		if (makes_double_fault(first->vector, event.vector)) {
			event.vector = DF_VECTOR;
			event.has_error_code = true;
			event.error_code = 0;
		}
	}
	event.valid = true;
	vcpu->event = event;
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
}

/* The RFLAGS image that a fault pushes has RF set. SDM: "RFLAGS Image Saved by Exceptions". */
static void set_resume_flag(struct vcpu *vcpu)
{
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, virt->get_sysreg(vcpu, SYSREG_RFLAGS) | RFLAGS_RF);
}

void queue_exception(struct vcpu *vcpu, u8 vector)
{
	set_resume_flag(vcpu);
	queue_event(vcpu, (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = vector});
}

void queue_exception_e(struct vcpu *vcpu, u8 vector, u32 error_code)
{
	set_resume_flag(vcpu);
	queue_event(vcpu, (struct vcpu_event){.type = EVENT_EXCEPTION,
					      .vector = vector,
					      .has_error_code = true,
					      .error_code = error_code});
}

/* The exit for a fault has set RF, which an interrupt before the instruction would not push. SDM:
 * "Saving RIP, RSP, RFLAGS, and SSP". */
void queue_interrupt(struct vcpu *vcpu, u8 vector)
{
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, virt->get_sysreg(vcpu, SYSREG_RFLAGS) & ~RFLAGS_RF);
	vcpu->event = (struct vcpu_event){.valid = true, .type = EVENT_EXT_INTR, .vector = vector};
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
}
