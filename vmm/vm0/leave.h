/* SPDX-License-Identifier: MIT */
/*
 * Leaving: Glasshouse takes itself away from under the guest, which goes on natively.
 */
#ifndef GH_VMM_VM0_LEAVE_H
#define GH_VMM_VM0_LEAVE_H

#include "vmm/vcpu.h"

/*
 * Called for an instruction of @vcpu that is done: from now on all vCPUs of its VM gather in root
 * mode, and leave for good when all have come and all can. When not, in time, all go on as
 * before and @vcpu finds in RAX -EBUSY, or -EOPNOTSUPP when one is in a mode that cannot be left
 * for (docs/hypercalls.md). Returns 0; -EBUSY when they gather already; -ENOMEM.
 */
int vm_leave(struct vcpu *vcpu);

/*
 * REQ_LEAVE, on the vCPU's own CPU. Returns 1 when the guest goes on: the attempt failed, or the
 * guest must run a little more first, and the request is posted again. Returns 0 when this vCPU,
 * which has never started, is to leave its run loop. Does not return on a CPU that leaves.
 */
int leave_request(struct vcpu *vcpu);

/* From the NMI handler: on a CPU that waits for just this NMI, in order to leave, does not return.
 */
void leave_on_nmi(struct vcpu *vcpu);

#endif
