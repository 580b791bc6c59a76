/* SPDX-License-Identifier: MIT */
/*
 * Intercepts that change while vCPUs run: by virt->set_msr_intercept and virt->set_io_intercept,
 * which post REQ_INTERCEPTS.
 */
#ifndef GH_VMM_INTERCEPTS_H
#define GH_VMM_INTERCEPTS_H

#include "vmm/vcpu.h"

/*
 * Wait until the changes are in force on all vCPUs of the VM: kick those that run the guest. On the
 * CPU of @vcpu, in an exit handler, without locks for which other exit handlers wait. Several vCPUs
 * may do so at the same time. It gives up after some milliseconds, for example when a CPU gets no
 * NMI because a local APIC is off: what must never happen must not depend on it.
 */
void enforce_intercepts(struct vcpu *vcpu);

#endif
