/* SPDX-License-Identifier: MIT */
/*
 * Storing 32 bits of the FPU and vector registers, and the x87 errors that are pending. These
 * registers are always the guest's: Glasshouse neither uses nor saves them, so each function stores
 * what the guest's own instruction would store. SDM: "Instruction Set Reference".
 */
#ifndef GH_FPU_H
#define GH_FPU_H

#include "bits.h"

enum fpu_store {
	FPU_XMM,    /* a quarter of an XMM register: MOVD, MOVSS, EXTRACTPS, PEXTRD */
	FPU_MM,     /* the low half of an MMX register: MOVD */
	FPU_FST,    /* ST(0) as a single */
	FPU_FSTP,   /* the same, then pop */
	FPU_FIST,   /* ST(0) as an integer */
	FPU_FISTP,  /* the same, then pop */
	FPU_FISTTP, /* ST(0) truncated to an integer, then pop */
	FPU_MXCSR,
};

/* What fpu_store() returns. */
enum fpu_stored {
	FPU_STORED,
	FPU_NOT_STORED, /* an unmasked invalid operation prevents it, and is now pending in the FPU
			 */
	FPU_REFUSED, /* an unmasked x87 exception is pending: the instruction raises #MF instead */
};

/* The pointers that an x87 instruction leaves. SDM: "x87 FPU Instruction and Data (Operand)
 * Pointers", "Last Instruction Opcode". */
struct fpu_pointers {
	bool wide; /* of 64-bit code: ip and dp have 64 bits; else their bits 47:32 are the selector
		    */
	u64 ip, dp;
	u16 opcode;
};

/*
 * Execute a store of the kind @kind into *@value. @reg: the number of the register, 0 to 15 (XMM)
 * or 0 to 7 (MM); @quarter: which 32 bits of an XMM register, 0 to 3; @pointers: those of
 * the guest's instruction. Never faults: with FPU_REFUSED nothing has been executed.
 */
enum fpu_stored fpu_store(enum fpu_store kind, unsigned reg, unsigned quarter,
			  const struct fpu_pointers *pointers, u32 *value);

/* What FXSAVE stores. SDM: "Layout of the Legacy Region of an XSAVE Area". */
struct fxsave {
	u16 fcw, fsw;
	u8 ftw; /* a bit for each register: it is not empty */
	u8 reserved;
	u16 opcode;
	u64 ip, dp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16]; /* ST(0) to ST(7), and MM0 to MM7: 10 bytes each */
	u8 xmm[16][16];
	u8 rest[96];
} __aligned(16);

/* Store all of that state in @area. Never faults. @wide: with pointers of 64 bits. */
void fpu_save(struct fxsave *area, bool wide);

/* Is an unmasked x87 exception pending? */
bool fpu_error_pending(void);

/* Mask all x87 exceptions, so that none is pending. Returns the control word as it was, for
 * fpu_unmask_errors(), which does nothing if another control word has been loaded since. */
u16 fpu_mask_errors(void);
void fpu_unmask_errors(u16 fcw);

#endif
