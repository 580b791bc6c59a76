/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: the guest's VMCALL. docs/hypercalls.md describes them for guests.
 */
#ifndef GH_VMM_VM0_HYPERCALL_H
#define GH_VMM_VM0_HYPERCALL_H

#include "vmm/vcpu.h"

/* RAX: "Glass" in the high 40 bits, the number of the call in the low 24. */
#define HYPERCALL_LEAVE             0x476c617373000001ull
#define HYPERCALL_BOOT_SERVICES_END 0x476c617373000002ull
#define HYPERCALL_DUMP_EXITS        0x476c617373000004ull /* any two differ in two bits or more */

/*
 * vm_ops.hypercall: call the function of the number in RAX, from the table in hypercall.c, and put
 * its result into RAX. Outside 64-bit mode at CPL 0, and for other numbers, inject #UD, as on a CPU
 * without virtualisation. At the end of bios_call()'s thunk, leave the run loop (return 0).
 */
int vm0_hypercall(struct vcpu *vcpu);

#endif
