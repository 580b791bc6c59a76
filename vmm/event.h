/* SPDX-License-Identifier: MIT */
/*
 * Events that a vCPU gets at its next entry: exceptions and NMIs.
 */
#ifndef GH_EVENT_H
#define GH_EVENT_H

#include "vmm/vcpu.h"

/*
 * Deliver an exception at the next entry. If another exception is being delivered, the two are
 * combined as SDM "Interrupt 8—Double Fault Exception (#DF)" says. On the vCPU's own CPU.
 */
void queue_exception(struct vcpu *vcpu, u8 vector);
void queue_exception_e(struct vcpu *vcpu, u8 vector, u32 error_code);

/* Deliver an NMI as soon as the guest can take one. On the vCPU's own CPU. */
void queue_nmi(struct vcpu *vcpu);

#endif
