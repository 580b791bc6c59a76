/* SPDX-License-Identifier: MIT */
/*
 * INS and OUTS at ports that exit.
 */
#ifndef GH_IO_STRING_H
#define GH_IO_STRING_H

#include "vmm/x86/io.h"

/*
 * Emulate one iteration of INS or OUTS, with the faults of its memory operand, and skip the
 * instruction when it is complete. Returns what an exit handler returns. SDM:
 * "INS/INSB/INSW/INSD—Input from Port to String", "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port".
 */
int emulate_string_pio(struct vcpu *vcpu, const struct pio_access *io);

#endif
