/* SPDX-License-Identifier: MIT */
/*
 * VM 0's ports: the machine's. Some are watched, because the guest resets or switches off the
 * machine by them.
 */
#ifndef GH_VMM_VM0_PORTS_H
#define GH_VMM_VM0_PORTS_H

#include "vmm/vm0/vm0.h"
#include "vmm/x86/io.h"

/* Watch a port: accesses to it exit from now on. Returns 0, or -ENOSPC when VM0_MAX_WATCHED are
 * watched. */
int watch_port(struct vm0 *vm0, const struct port_watch *watch);

/* vm_ops.pio: an access to a port that exits. */
u32 vm0_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/* OUT to the machine's port. */
void pio_out(const struct pio_access *io, u32 value);

#endif
