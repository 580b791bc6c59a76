/* SPDX-License-Identifier: MIT */
/*
 * Storing 32 bits of the FPU and vector registers; pending x87 errors.
 */
#include "arch/x86/fpu.h"
#include "bits.h"

#define FSW_IE BIT(0) /* invalid operation */
#define FSW_ES BIT(7) /* an unmasked exception is pending */

/* The control word. Bit 12 can be written, and has no meaning since the 80287. */
#define FCW_MASKS  GENMASK(5, 0)
#define FCW_UNUSED BIT(12)

struct xmm {
	u32 quarter[4];
};

/* The register number is part of the instruction, so each register needs an instruction of its own.
 */
#define STORE(insn, n)                                     \
	case n:                                            \
		asm volatile(insn #n ", %0" : "=m"(*out)); \
		break

static void store_xmm(unsigned reg, struct xmm *out)
{
	switch (reg) {
		STORE("movups %%xmm", 0);
		STORE("movups %%xmm", 1);
		STORE("movups %%xmm", 2);
		STORE("movups %%xmm", 3);
		STORE("movups %%xmm", 4);
		STORE("movups %%xmm", 5);
		STORE("movups %%xmm", 6);
		STORE("movups %%xmm", 7);
		STORE("movups %%xmm", 8);
		STORE("movups %%xmm", 9);
		STORE("movups %%xmm", 10);
		STORE("movups %%xmm", 11);
		STORE("movups %%xmm", 12);
		STORE("movups %%xmm", 13);
		STORE("movups %%xmm", 14);
		STORE("movups %%xmm", 15);
	}
}

static void store_mm(unsigned reg, u32 *out)
{
	switch (reg) {
		STORE("movd %%mm", 0);
		STORE("movd %%mm", 1);
		STORE("movd %%mm", 2);
		STORE("movd %%mm", 3);
		STORE("movd %%mm", 4);
		STORE("movd %%mm", 5);
		STORE("movd %%mm", 6);
		STORE("movd %%mm", 7);
	}
}

static u16 read_fsw(void)
{
	u16 fsw;

	asm volatile("fnstsw %0" : "=am"(fsw));
	return fsw;
}

_Static_assert(sizeof(struct fxsave) == 512, "FXSAVE stores 512 bytes");

void fpu_save(struct fxsave *area, bool wide)
{
	if (wide)
		asm volatile("fxsave64 %0" : "=m"(*area));
	else
		asm volatile("fxsave %0" : "=m"(*area));
}

/* The pointers name an instruction of Glasshouse now: give those that it has changed the guest's
 * values. Not every CPU changes all. */
static void set_pointers(const struct fxsave *before, const struct fpu_pointers *guest)
{
	struct fxsave area;

	fpu_save(&area, guest->wide);
	if (area.ip != before->ip)
		area.ip = guest->ip;
	if (area.dp != before->dp)
		area.dp = guest->dp;
	if (area.opcode != before->opcode)
		area.opcode = guest->opcode;
	if (guest->wide)
		asm volatile("fxrstor64 %0" : : "m"(area));
	else
		asm volatile("fxrstor %0" : : "m"(area));
}

enum fpu_stored fpu_store(enum fpu_store kind, unsigned reg, unsigned quarter,
			  const struct fpu_pointers *pointers, u32 *value)
{
	struct xmm xmm = {{0}};
	struct fxsave before;

	if (kind == FPU_XMM) {
		store_xmm(reg, &xmm);
		*value = xmm.quarter[quarter];
		return FPU_STORED;
	}
	if (kind == FPU_MXCSR) {
		asm volatile("stmxcsr %0" : "=m"(*value));
		return FPU_STORED;
	}
	/* All others wait for a pending exception, which would be #MF in root mode. */
	if (read_fsw() & FSW_ES)
		return FPU_REFUSED;
	fpu_save(&before, pointers->wide);
	switch (kind) {
	case FPU_MM:
		store_mm(reg, value);
		return FPU_STORED;
	case FPU_FST:
		asm volatile("fsts %0" : "=m"(*value));
		break;
	case FPU_FSTP:
		asm volatile("fstps %0" : "=m"(*value));
		break;
	case FPU_FIST:
		asm volatile("fistl %0" : "=m"(*value));
		break;
	case FPU_FISTP:
		asm volatile("fistpl %0" : "=m"(*value));
		break;
	case FPU_FISTTP:
		asm volatile("fisttpl %0" : "=m"(*value));
		break;
	default:
		return FPU_REFUSED;
	}
	set_pointers(&before, pointers);
	/* Other exceptions than an invalid operation do not stop a store. */
	return (read_fsw() & (FSW_IE | FSW_ES)) == (FSW_IE | FSW_ES) ? FPU_NOT_STORED : FPU_STORED;
}

bool fpu_error_pending(void)
{
	return read_fsw() & FSW_ES;
}

static u16 read_fcw(void)
{
	u16 fcw;

	asm volatile("fnstcw %0" : "=m"(fcw));
	return fcw;
}

/* The control word that fpu_mask_errors() loads instead of @fcw: no guest loads the same. */
static u16 masked_fcw(u16 fcw)
{
	return (u16)((fcw | FCW_MASKS) ^ FCW_UNUSED);
}

u16 fpu_mask_errors(void)
{
	u16 fcw = read_fcw(), masked = masked_fcw(fcw);
	u32 environment[7];

	/* FNSTENV masks all exceptions; FLDCW alone would wait for the pending one. */
	asm volatile("fnstenv %0\n\tfldcw %1" : "=m"(environment) : "m"(masked));
	return fcw;
}

void fpu_unmask_errors(u16 fcw)
{
	if (read_fcw() == masked_fcw(fcw))
		asm volatile("fldcw %0" : : "m"(fcw));
}
