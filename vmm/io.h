/* SPDX-License-Identifier: MIT */
/*
 * Port I/O that exits: handle_io -> emulate_pio -> kernel_pio (whoever watches the port, then the
 * port itself) -> complete_io.
 */
#ifndef GH_VMM_IO_H
#define GH_VMM_IO_H

#include "vmm/vm.h"

struct pio_access {
	u16 port;
	u8 size; /* 1, 2 or 4 bytes */
	bool in, string, rep;
};

/*
 * Carry out one IN, OUT, or one iteration of INS, OUTS, with the faults that its memory operand may
 * meet (protection keys are not looked at). SDM: "INS/INSB/INSW/INSD—Input from Port to String",
 * "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port". Returns what an exit handler returns.
 */
int emulate_pio(struct vcpu *vcpu, const struct pio_access *io);

/* The port itself. */
void pio_out(const struct pio_access *io, u32 value);

#endif
