/* SPDX-License-Identifier: MIT */
/*
 * VM 0's I/O ports: the machine's. The ports by which the guest can reset or switch off the machine
 * are watched.
 */
#ifndef GH_VMM_VM0_PORTS_H
#define GH_VMM_VM0_PORTS_H

#include "vmm/vm0/vm0.h"
#include "vmm/x86/io.h"

/* Watch watch->port: from now on accesses to it exit, and writes call watch->written. @watch is
 * copied. Returns 0, or -ENOSPC if VM0_MAX_WATCHED ports are watched. */
int watch_port(struct vm0 *vm0, const struct port_watch *watch);

/* vm_ops.pio: call the watchers of a write, then access the machine's port. Returns the value that
 * was read or written. */
u32 vm0_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/* Write @value to the machine's port @io->port, with width @io->size (1, 2 or 4 bytes). */
void pio_out(const struct pio_access *io, u32 value);

#endif
