/* SPDX-License-Identifier: MIT */
/*
 * VM 0's ports: the machine's. Some are watched, because by them the guest resets the CPUs or
 * the machine, switches it off, or could harm Glasshouse.
 */
#ifndef GH_VMM_VM0_PORTS_H
#define GH_VMM_VM0_PORTS_H

#include "vmm/vm0/vm0.h"
#include "vmm/x86/io.h"

/* Watch watch->port: accesses to it exit, and writes call watch->written. @watch is copied. Before
 * the guest runs. Returns 0, or -ENOSPC if VM0_MAX_WATCHED ports are watched. */
int watch_port(struct vm0 *vm0, const struct port_watch *watch);

/* From now on accesses to those ports exit that are between @first and @last and were watched with
 * .later. In an exit handler of @vcpu; as enforce_intercepts() (vmm/intercepts.h). */
void watch_later(struct vcpu *vcpu, u16 first, u16 last);

bool port_is_watched(const struct vm0 *vm0, u16 port);

/* Take the @nr ports from @first on from the guest: for it there is no device, so reads return all
 * ones and writes go nowhere. One range, before the vCPUs run. */
void hide_ports(struct vm *vm, u16 first, u16 nr);

/* vm_ops.pio: an access to a port that exits. */
u32 vm0_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/*
 * OUT of @size bytes (1, 2, 4) to the machine's @port. The other general registers are the guest's
 * meanwhile: the access may cause an SMI, whose handler reads them.
 */
void pio_out(struct vcpu *vcpu, u16 port, unsigned size, u32 value);

/* The same for IN of one byte. */
u8 pio_in(struct vcpu *vcpu, u16 port);

#endif
