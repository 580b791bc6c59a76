/* SPDX-License-Identifier: MIT */
/*
 * Exceptions, interrupts and NMIs that are delivered to the guest at the next VM entry.
 */
#ifndef GH_VMM_EVENT_H
#define GH_VMM_EVENT_H

#include "vmm/vcpu.h"

/*
 * Deliver the exception @vector (0 to 31, a fault) at the next VM entry; queue_exception_e() also
 * delivers @error_code. If another exception is pending, the two are combined, to #DF or to a
 * triple fault. SDM: "Interrupt 8—Double Fault Exception (#DF)". On the vCPU's own CPU.
 */
void queue_exception(struct vcpu *vcpu, u8 vector);
void queue_exception_e(struct vcpu *vcpu, u8 vector, u32 error_code);

/* The same for an exception of any type, and with RFLAGS as it is. For reflect_exception(). */
void queue_event(struct vcpu *vcpu, struct vcpu_event event);

/* Deliver the interrupt @vector (16 to 255) of an interrupt controller at the next VM entry. The
 * caller has checked that the guest's IF is 1 and that no event is pending. On the vCPU's own CPU.
 */
void queue_interrupt(struct vcpu *vcpu, u8 vector);

/* Deliver an NMI as soon as the guest can take one. At most two are pending; further ones are
 * dropped, as by a CPU. On the vCPU's own CPU. */
void queue_nmi(struct vcpu *vcpu);

#endif
