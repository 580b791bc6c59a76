/* SPDX-License-Identifier: MIT */
/*
 * RDMSR, WRMSR and XSETBV. The _safe versions return an error instead of raising #GP. SDM:
 * "Model-Specific Registers (MSRs)".
 */
#ifndef GH_MSR_H
#define GH_MSR_H

#include "arch/x86/msr_index.h"
#include "errno.h"
#include "types.h"

/* Read an MSR that the CPU is known to have: otherwise #GP, which is a panic. */
static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

/* Write an MSR that the CPU is known to have, and that accepts @v: otherwise #GP, a panic. */
static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

/*
 * Marks the instruction at label 1 as one that may raise #GP: the trap handler finds its address in
 * .ex_table and continues at label 2 with the carry flag set. Offsets relative to the entry keep
 * the table small.
 */
#define EX_TABLE                            \
	".pushsection .ex_table, \"a\"\n\t" \
	".long 1b - ., 2b - .\n\t"          \
	".popsection"

/* Read an MSR into *@v. Returns 0; or -EIO, with *@v = 0, when the CPU raises #GP. */
static inline int rdmsr_safe(u32 msr, u64 *v)
{
	u32 lo, hi;
	bool fault;

	asm volatile("clc\n1:\trdmsr\n2:\n\t" EX_TABLE
		     : "=a"(lo), "=d"(hi), "=@ccc"(fault)
		     : "c"(msr));
	*v = fault ? 0 : (u64)hi << 32 | lo;
	return fault ? -EIO : 0;
}

/* Write @v to an MSR. Returns 0; or -EIO when the CPU raises #GP. */
static inline int wrmsr_safe(u32 msr, u64 v)
{
	bool fault;

	asm volatile("clc\n1:\twrmsr\n2:\n\t" EX_TABLE
		     : "=@ccc"(fault)
		     : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32))
		     : "memory");
	return fault ? -EIO : 0;
}

/* Write @v to XCR @index. CR4.OSXSAVE must be 1. Returns 0; or -EIO when the CPU raises #GP. */
static inline int xsetbv_safe(u32 index, u64 v)
{
	bool fault;

	asm volatile("clc\n1:\txsetbv\n2:\n\t" EX_TABLE
		     : "=@ccc"(fault)
		     : "c"(index), "a"((u32)v), "d"((u32)(v >> 32))
		     : "memory");
	return fault ? -EIO : 0;
}

#endif
