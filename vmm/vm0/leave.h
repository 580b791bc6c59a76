/* SPDX-License-Identifier: MIT */
/*
 * Leaving: Glasshouse switches virtualisation off, and the guest continues natively.
 */
#ifndef GH_VMM_VM0_LEAVE_H
#define GH_VMM_VM0_LEAVE_H

#include "vmm/vcpu.h"

/*
 * HYPERCALL_LEAVE: start an attempt to leave. All vCPUs of the VM gather in root mode (REQ_LEAVE);
 * if all arrive in time and are in a supported mode, Glasshouse leaves. Otherwise all continue as
 * guests, and RAX of @vcpu becomes -EBUSY (not all arrived) or -EOPNOTSUPP (a mode that is not
 * supported, see docs/hypercalls.md).
 *
 * Returns the value of RAX until then: 0, -EBUSY if NMIs are blocked or an attempt is under way,
 * -EOPNOTSUPP if the local APIC is off, or -ENOMEM. Errors are logged.
 */
int vm_leave(struct vcpu *vcpu);

/*
 * Handle REQ_LEAVE, on the vCPU's own CPU. Returns 1 to continue the guest: the attempt failed, or
 * the guest must run to another instruction first, and the request is posted again. Returns 0 to
 * leave the run loop of a vCPU that is not running. Does not return if a running vCPU's guest
 * continues natively.
 */
int leave_request(struct vcpu *vcpu);

/* For the NMI handler: if the NMI is the one that @vcpu sent to itself in order to leave, continue
 * the guest natively. Otherwise returns. */
void leave_on_nmi(struct vcpu *vcpu);

#endif
