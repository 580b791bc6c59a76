/* SPDX-License-Identifier: MIT */
/*
 * Lab 6, holes 1 and 2: NMIs that wait for the guest. Your file takes the place of vmm/nmi.c.
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/event.h"
#include "vmm/virt_ops.h"

/*
 * Hole 1. The guest is to get an NMI, as soon as it can take one: count it in vcpu->nmi_pending and
 * post REQ_EVENT in vcpu->requests, so that the run loop looks before the next VM entry. A CPU
 * that handles an NMI keeps one more, and drops all others: so there are at most two.
 *
 * An NMI in root mode may interrupt you and call this function, and other CPUs set bits of
 * requests: use __atomic_add_fetch() and __atomic_or_fetch() with __ATOMIC_ACQ_REL.
 */
void queue_nmi(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: queue_nmi() is yours to write.");
}

/*
 * Hole 2. Called before a VM entry, while vcpu->nmi_pending is not 0. One entry can deliver one
 * event, and the one that is in vcpu->event is there first.
 *
 *  - If vcpu->event is valid, or the guest cannot take an NMI (virt->nmi_allowed(vcpu)): ask for an
 *    exit when it can (virt->enable_nmi_window(vcpu)). The NMI stays pending.
 *  - Otherwise it becomes vcpu->event: valid, type EVENT_NMI, vector NMI_VECTOR, nothing else; and
 *    it is pending no more. If another one is, ask for the exit, too.
 */
void deliver_nmi(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: deliver_nmi() is yours to write.");
}
