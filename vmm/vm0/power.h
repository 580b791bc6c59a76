/* SPDX-License-Identifier: MIT */
/*
 * The ends of a machine: reset, power-off, sleep, triple fault. Virtualisation goes off on all CPUs
 * first.
 */
#ifndef GH_POWER_H
#define GH_POWER_H

#include "vmm/vm.h"

/*
 * Watch the ports by which the guest resets or switches off the machine: the keyboard controller's
 * command port, port 92h, the PM1 control ports and the FADT's reset register, where it is a port.
 * Returns 0 or -ENOSPC.
 *
 * Not watched: port CF9h. Its bit in the I/O bitmap would also catch every 32-bit access to CF8h,
 * which is PCI configuration; and what it causes is a true reset, which ends VMX operation by
 * itself (SDM: "VMX Operation").
 */
int power_init(struct vm *vm);

/* A triple fault on @vcpu: the machine is reset, as hardware would. Returns what an exit handler
 * returns. */
int vm_triple_fault(struct vcpu *vcpu);

/* Reset the machine, whatever state it is in. @acpi: may be NULL. */
void machine_reset(const struct acpi_info *acpi) __noreturn;

/* Virtualisation off on all CPUs, then reset the machine, by whatever works. */
void vm_reset(struct vcpu *vcpu) __noreturn;

#endif
