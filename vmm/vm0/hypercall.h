/* SPDX-License-Identifier: MIT */
/*
 * What a guest can ask for by VMCALL: docs/hypercalls.md.
 */
#ifndef GH_HYPERCALL_H
#define GH_HYPERCALL_H

#include "vmm/vcpu.h"

/* RAX: "Glass" in the high 40 bits, then the number of the call. */
#define HYPERCALL_LEAVE 0x476c617373000001ull

/*
 * VMCALL. Only CPL 0 in 64-bit mode is heard, and only a call that exists; for anything else the
 * instruction does what it does on a CPU without VMX: #UD. Returns what an exit handler returns.
 */
int emulate_hypercall(struct vcpu *vcpu);

#endif
