/* SPDX-License-Identifier: MIT */
/*
 * What a guest can ask for by VMCALL: docs/hypercalls.md.
 */
#ifndef GH_VMM_VM0_HYPERCALL_H
#define GH_VMM_VM0_HYPERCALL_H

#include "vmm/vcpu.h"

/* RAX: "Glass" in the high 40 bits, then the number of the call. */
#define HYPERCALL_LEAVE 0x476c617373000001ull

/*
 * vm_ops.hypercall. Only CPL 0 in 64-bit mode may call, and only the numbers of the table in
 * hypercall.c; otherwise VMCALL does what it does on a CPU without VMX: #UD. The end of a
 * bios_call() ends the run loop.
 */
int vm0_hypercall(struct vcpu *vcpu);

#endif
