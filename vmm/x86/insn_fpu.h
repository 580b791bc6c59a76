/* SPDX-License-Identifier: MIT */
/*
 * Which instructions store 32 bits of the FPU or vector registers. Pure.
 */
#ifndef GH_INSN_FPU_H
#define GH_INSN_FPU_H

#include "arch/x86/fpu.h"
#include "vmm/x86/insn.h"

struct insn_fpu {
	enum fpu_store kind;
	u8 reg;     /* of XMM and MM: its number */
	u8 quarter; /* of XMM: which 32 bits, from the low ones on */
};

/*
 * Does @insn, legacy or VEX, store 32 bits of an FPU or vector register to memory? Then describe
 * the store in @store. SDM: "MOVD/MOVQ", "MOVSS", "EXTRACTPS", "PEXTRB/PEXTRD/PEXTRQ", "FST/FSTP",
 * "FIST/FISTP", "FISTTP", "STMXCSR".
 */
bool insn_fpu_store(const struct insn *insn, struct insn_fpu *store);

#endif
