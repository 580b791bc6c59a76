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

/* Carry out one IN, OUT, or one iteration of INS, OUTS. Returns what an exit handler returns. */
int emulate_pio(struct vcpu *vcpu, const struct pio_access *io);

/*
 * INS and OUTS, with the faults that their memory operand may meet (protection keys are not looked
 * at). SDM: "INS/INSB/INSW/INSD—Input from Port to String", "OUTS/OUTSB/OUTSW/OUTSD—Output String
 * to Port".
 */
int emulate_string_pio(struct vcpu *vcpu, const struct pio_access *io);

/* One access: OUT writes @value, after those who watch the port; IN returns what it reads. */
u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value);

/* The port itself. */
void pio_out(const struct pio_access *io, u32 value);

/* The low @size bytes of a register change; of those above, 32 bits clear what 8 and 16 leave. */
void set_low(u64 *reg, unsigned size, u64 value);

#endif
