/* SPDX-License-Identifier: MIT */
/*
 * VM 0's ports: the machine's. Some are watched, because the guest resets or switches off the
 * machine by them.
 */
#ifndef GH_VM0_PORTS_H
#define GH_VM0_PORTS_H

#include "types.h"
#include "vmm/x86/io.h"

#define PORTS_MAX_WATCHED 16

struct vm0;

/*
 * A watched port. For each OUT or OUTS that touches it, of any width and from any port below,
 * @written is called before the access reaches the machine: @value is all that is written, @byte
 * what is written to @port.
 */
struct port_watch {
	u16 port;
	void (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 byte);
};

struct port_watches {
	struct port_watch watch[PORTS_MAX_WATCHED];
	unsigned nr;
};

/* Watch @port: accesses to it exit from now on. Returns 0, or -ENOSPC when PORTS_MAX_WATCHED are
 * watched. */
int watch_port(struct vm0 *vm0, u16 port,
	       void (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 byte));

/* vm_ops.pio: an access to a port that exits. */
u32 vm0_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/* OUT to the machine's port. */
void pio_out(const struct pio_access *io, u32 value);

#endif
