/* SPDX-License-Identifier: MIT */
/*
 * The ends of a machine: reset, power-off, sleep, triple fault. Virtualisation goes off on all CPUs
 * first.
 */
#ifndef GH_VMM_VM0_POWER_H
#define GH_VMM_VM0_POWER_H

#include "vmm/vm0/vm0.h"

/*
 * Watch the ports by which the guest resets or switches off the machine: the keyboard controller's
 * command port, port 92h, the PM1 control ports and the FADT's reset register, where it is a port.
 * Returns 0 or -ENOSPC.
 *
 * Not watched: port CF9h. Its bit in the I/O bitmap would also catch every 32-bit access to CF8h,
 * which is PCI configuration; and what it causes is a true reset, which ends VMX operation by
 * itself (SDM: "VMX Operation").
 */
int power_init(struct vm0 *vm0);

/* vm_ops.triple_fault: the machine is reset, as hardware would. */
int vm0_triple_fault(struct vcpu *vcpu);

#endif
