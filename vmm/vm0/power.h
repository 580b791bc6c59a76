/* SPDX-License-Identifier: MIT */
/*
 * Reset, power-off, sleep and triple fault. Before a reset or power-off, Glasshouse switches
 * virtualisation off on all CPUs.
 */
#ifndef GH_VMM_VM0_POWER_H
#define GH_VMM_VM0_POWER_H

#include "vmm/vm0/vm0.h"

/*
 * Watch the ports by which the guest can reset or switch off the machine: the keyboard controller's
 * command port, port 92h, the PM1 control ports, and the FADT's reset register if it is a port.
 * Returns 0, or -ENOSPC if VM0_MAX_WATCHED ports are watched.
 *
 * Port CF9h is not watched: 32-bit accesses to CF8h, which is PCI configuration, would exit, too. A
 * write to CF9h resets the CPUs, which switches virtualisation off by itself.
 */
int power_init(struct vm0 *vm0);

/* vm_ops.triple_fault: reset the machine, as hardware does. Does not return. */
int vm0_triple_fault(struct vcpu *vcpu);

/* vm_ops.invalid_state: the same. */
int vm0_invalid_state(struct vcpu *vcpu);

#endif
