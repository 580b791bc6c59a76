/* SPDX-License-Identifier: MIT */
/*
 * How many bytes of memory an instruction accesses that insn_memory_op() does not know. Pure.
 */
#ifndef GH_MONITOR_INSN_SIZE_H
#define GH_MONITOR_INSN_SIZE_H

#include "vmm/x86/insn.h"

/* The forms of an XSAVE area. SDM: "Standard Format of Extended Region", "Compacted Format of
 * Extended Region". */
enum insn_area { INSN_NO_AREA, INSN_STANDARD, INSN_COMPACTED };

struct insn_size {
	u16 bytes;      /* 0: unknown, or that of an XSAVE area */
	u8 area;        /* enum insn_area */
	bool state;     /* it is an area for the state of FPU and vector registers, at its ModRM
			 * operand; the CPU may access any part of it first */
	bool partly;    /* it may leave out parts of what it writes */
	bool downwards; /* it pushes several values: what follows is below the first byte */
	bool reads_too; /* what it writes it also reads */
};

/* May the instruction that begins at @bytes, of which @n are readable, be one with a state? Takes
 * less time than decoding it. */
bool insn_may_have_state(const u8 *bytes, size_t n);

/* Describe @insn in @size. SDM: "Instruction Set Reference". */
void insn_size(const struct insn *insn, struct insn_size *size);

#endif
