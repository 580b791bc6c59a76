/* SPDX-License-Identifier: MIT */
/*
 * Port I/O that exits: handle_io -> emulate_pio -> kernel_pio -> vm_ops.pio, then complete_io.
 */
#ifndef GH_VMM_IO_H
#define GH_VMM_IO_H

#include "vmm/vcpu.h"

struct pio_access {
	u16 port;
	u8 size; /* 1, 2 or 4 bytes */
	bool in, string, rep;
};

/* Emulate one IN, OUT, or one iteration of INS, OUTS. Returns what an exit handler returns. */
int emulate_pio(struct vcpu *vcpu, const struct pio_access *io);

/*
 * INS and OUTS, with the faults that their memory operand may cause (protection keys are not
 * checked). SDM: "INS/INSB/INSW/INSD—Input from Port to String", "OUTS/OUTSB/OUTSW/OUTSD—Output
 * String to Port".
 */
int emulate_string_pio(struct vcpu *vcpu, const struct pio_access *io);

/* One access: OUT writes @value; IN returns what it reads. */
u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/* Set the low @size bytes of a register. 4 bytes clear those above, 1 and 2 leave them. */
void set_low(u64 *reg, unsigned size, u64 value);

#endif
