/* SPDX-License-Identifier: MIT */
/*
 * Reset, power-off, sleep and triple fault. Before a reset or power-off, Glasshouse switches
 * virtualisation off on all CPUs.
 */
#ifndef GH_VMM_VM0_POWER_H
#define GH_VMM_VM0_POWER_H

#include "vmm/vm0/vm0.h"

/*
 * Watch the ports by which the guest resets or switches off the machine: those of cmos.h, the PM1
 * control ports and the FADT's reset register, if it is a port that is not watched yet (kbc.h).
 * Returns 0 or -ENOSPC.
 *
 * Not watched: port CF9h. Its bit in the I/O bitmap would also catch every 32-bit access to CF8h,
 * which is PCI configuration. Glasshouse need not act on it: a reset of the machine ends VMX
 * operation by itself (SDM: "VMX Operation"), and the BIOS finds no shutdown code (cmos.h); an INIT
 * is an exit.
 */
int power_init(struct vm0 *vm0);

/*
 * The guest resets the CPUs. @by: the cause, for the log. A BIOS then starts the machine, or
 * returns to the guest, as the shutdown byte says (cmos.h). In the first case the machine is reset,
 * and this does not return. In the second all vCPUs get an INIT, as such a reset does on a PC: the
 * guest continues at its vector, under Glasshouse.
 */
void reset_cpus(struct vcpu *vcpu, const char *by);

/* Switch virtualisation off on all CPUs, and reset the machine. */
void vm_reset(struct vcpu *vcpu) __noreturn;

/* The boot CPU has got an INIT. Returns if the BIOS returns to the guest; else the machine is
 * reset. */
void vm0_boot_cpu_init(struct vcpu *vcpu);

/* vm_ops.triple_fault: the same as reset_cpus(). Returns 1. */
int vm0_triple_fault(struct vcpu *vcpu);

/* vm_ops.invalid_state: the machine is reset. */
int vm0_invalid_state(struct vcpu *vcpu);

#endif
