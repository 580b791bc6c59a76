/* SPDX-License-Identifier: MIT */
/*
 * Port I/O that exits: handle_io -> emulate_pio -> kernel_pio -> vm_ops.pio, then complete_io. SDM:
 * "Input/Output".
 */
#ifndef GH_VMM_IO_H
#define GH_VMM_IO_H

#include "vmm/vcpu.h"

struct pio_access {
	u16 port;
	u8 size; /* 1, 2 or 4 bytes */
	bool in, string, rep;
};

/*
 * Emulate one IN or OUT, and skip the instruction. INS and OUTS: see io_string.h. Returns what an
 * exit handler returns.
 */
int emulate_pio(struct vcpu *vcpu, const struct pio_access *io);

/*
 * Perform one access through vm_ops.pio, after checking I/O breakpoints. OUT writes @value; IN
 * ignores it and returns the value read.
 */
u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/* Set the low @size bytes (1, 2, 4, 8) of *@reg. 4 bytes clear the upper half, 1 and 2 keep the
 * rest. */
void assign_register(u64 *reg, unsigned size, u64 value);

#endif
