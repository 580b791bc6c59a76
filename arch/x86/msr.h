/* SPDX-License-Identifier: MIT */
/*
 * RDMSR, WRMSR and XSETBV: plain, and such that a #GP becomes an error code. SDM: "Model-Specific
 * Registers (MSRs)".
 */
#ifndef GH_MSR_H
#define GH_MSR_H

#include "arch/x86/msr_index.h"
#include "errno.h"
#include "types.h"

/* An MSR that the CPU is known to have: without it, this is #GP, and a panic. */
static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

/* The same; the value, too, must be one that the MSR takes. */
static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

/*
 * An instruction at 1: that may #GP; the trap handler finds the address in .ex_table and goes on at
 * 2: with the carry flag set. Distances from the entry itself keep the table small.
 */
#define EX_TABLE                            \
	".pushsection .ex_table, \"a\"\n\t" \
	".long 1b - ., 2b - .\n\t"          \
	".popsection"

/* Returns 0 with the value in *v, or -EIO with *v = 0 when the CPU raised #GP. */
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

/* Returns 0, or -EIO when the CPU raised #GP. */
static inline int wrmsr_safe(u32 msr, u64 v)
{
	bool fault;

	asm volatile("clc\n1:\twrmsr\n2:\n\t" EX_TABLE
		     : "=@ccc"(fault)
		     : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32))
		     : "memory");
	return fault ? -EIO : 0;
}

/* Returns 0, or -EIO when the CPU raised #GP. CR4.OSXSAVE must be 1. */
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
