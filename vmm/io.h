/* SPDX-License-Identifier: MIT */
/*
 * Port I/O that exits: handle_io -> emulate_pio -> kernel_pio (a device in the hypervisor) or the
 * real port -> complete_io.
 */
#ifndef GH_VMM_IO_H
#define GH_VMM_IO_H

#include "vmm/vm.h"

struct pio_access {
	u16 port;
	u8 size; /* 1, 2 or 4 bytes */
	bool in, string, rep;
	gva_t gva; /* of the memory operand of INS and OUTS */
};

/* Carry out one IN, OUT, or one iteration of INS, OUTS. Returns what an exit handler returns. */
int emulate_pio(struct vcpu *vcpu, const struct pio_access *io);

#endif
