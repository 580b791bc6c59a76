/* SPDX-License-Identifier: MIT */
/*
 * NMIs for the guest. See event.h.
 */
#include "arch/x86/cpu.h"
#include "vmm/event.h"
#include "vmm/virt_ops.h"

void queue_nmi(struct vcpu *vcpu)
{
	/* A CPU that handles an NMI latches one more. */
	if (__atomic_load_n(&vcpu->nmi_pending, __ATOMIC_RELAXED) < 2)
		__atomic_add_fetch(&vcpu->nmi_pending, 1, __ATOMIC_ACQ_REL);
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
}

void deliver_nmi(struct vcpu *vcpu)
{
	if (vcpu->event.valid || !virt->nmi_allowed(vcpu)) {
		virt->enable_nmi_window(vcpu);
		return;
	}
	vcpu->event = (struct vcpu_event){.valid = true, .type = EVENT_NMI, .vector = NMI_VECTOR};
	if (__atomic_sub_fetch(&vcpu->nmi_pending, 1, __ATOMIC_ACQ_REL))
		virt->enable_nmi_window(vcpu);
}
