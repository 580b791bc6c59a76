/* SPDX-License-Identifier: MIT */
/*
 * The chipset's part in x87 errors while the guest's CR0.NE is 0. The CPU asserts its output FERR#,
 * from which a PC makes IRQ 13, an input of the slave 8259. A write to port F0h takes IRQ 13 back
 * and asserts IGNNE#, until the guest has cleared the error. SDM: "MS-DOS Compatibility Sub-mode";
 * IBM PC/AT Technical Reference, "Math Coprocessor".
 *
 * VMX operation needs NE to be 1, so FERR# is never asserted, and software cannot raise an input of
 * an 8259. So Glasshouse delivers the interrupt that the 8259s would, and takes back the end of
 * interrupt that the guest's handler writes, which could end the service of another interrupt.
 */
#ifndef GH_VMM_VM0_FERR_H
#define GH_VMM_VM0_FERR_H

#include "vmm/vm0/vm0.h"

/* Watch the ports. Before the guest runs, while the 8259s are as the firmware has left them.
 * Returns 0 or -ENOSPC. */
int ferr_init(struct vm0 *vm0);

/* vm_ops.fpu_error: raise IRQ 13. The guest gets it if its IF and the 8259s' masks let it through;
 * else the CPU waits at the instruction, as it does without Glasshouse. */
void ferr_assert(struct vcpu *vcpu);

#endif
