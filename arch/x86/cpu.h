/* SPDX-License-Identifier: MIT */
/*
 * One function per instruction that C cannot express, and the bits of the control registers. SDM:
 * "Instruction Set Reference", "Control Registers".
 */
#ifndef GH_CPU_H
#define GH_CPU_H

#include "bits.h"

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

/* Linear-address masking of user addresses. */
#define CR3_LAM_U57 BIT(61)
#define CR3_LAM_U48 BIT(62)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE        BIT(22)
#define CR4_CET        BIT(23)
#define CR4_PKS        BIT(24)
#define CR4_UINTR      BIT(25)
#define CR4_LASS       BIT(27)
#define CR4_LAM_SUP    BIT(28)
#define CR4_FRED       BIT(32)

#define RFLAGS_CF    BIT(0)
#define RFLAGS_FIXED BIT(1)
#define RFLAGS_TF    BIT(8)
#define RFLAGS_IF    BIT(9)
#define RFLAGS_DF    BIT(10)
#define RFLAGS_RF    BIT(16)
#define RFLAGS_VM    BIT(17)
#define RFLAGS_AC    BIT(18)

/* SDM: "Debug Registers". */
#define DR6_BREAKPOINTS 0xfull
#define DR6_BLD         BIT(11) /* 0: a bus lock */
#define DR6_BD          BIT(13)
#define DR6_BS          BIT(14)
#define DR6_RTM         BIT(16) /* 0: in an RTM region */
#define DR7_ENABLED     0xffull
#define DR7_GD          BIT(13)

enum exception_vector {
	DE_VECTOR = 0,
	DB_VECTOR = 1,
	NMI_VECTOR = 2,
	BP_VECTOR = 3,
	OF_VECTOR = 4,
	UD_VECTOR = 6,
	NM_VECTOR = 7,
	DF_VECTOR = 8,
	TS_VECTOR = 10,
	NP_VECTOR = 11,
	SS_VECTOR = 12,
	GP_VECTOR = 13,
	PF_VECTOR = 14,
	MF_VECTOR = 16,
	AC_VECTOR = 17,
	MC_VECTOR = 18,
	CP_VECTOR = 21,
};

/* Those that push an error code; #CP only exists on some CPUs. SDM: "Error Code". */
#define WITH_ERROR_CODE                                                                       \
	(BIT(DF_VECTOR) | BIT(TS_VECTOR) | BIT(NP_VECTOR) | BIT(SS_VECTOR) | BIT(GP_VECTOR) | \
	 BIT(PF_VECTOR) | BIT(AC_VECTOR) | BIT(CP_VECTOR))

/* Error codes of #PF. SDM: "Page-Fault Exceptions". */
#define PF_ERROR_P     1u
#define PF_ERROR_W     2u
#define PF_ERROR_U     4u
#define PF_ERROR_RSVD  8u
#define PF_ERROR_FETCH 16u
#define PF_ERROR_PK    32u

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

/* Execute CPUID with @leaf in EAX and @subleaf in ECX. */
static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

/* read_cr0(), write_cr0() and so on. */
#define DEFINE_REGISTER(name)                                           \
	static inline u64 read_##name(void)                             \
	{                                                               \
		u64 v;                                                  \
		asm volatile("mov %%" #name ", %0" : "=r"(v));          \
		return v;                                               \
	}                                                               \
	static inline void write_##name(u64 v)                          \
	{                                                               \
		asm volatile("mov %0, %%" #name : : "r"(v) : "memory"); \
	}
DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(dr0)
DEFINE_REGISTER(dr1)
DEFINE_REGISTER(dr2)
DEFINE_REGISTER(dr3)
#undef DEFINE_REGISTER

/* Read DR6. To write it: percpu.h. */
static inline u64 read_dr6(void)
{
	u64 v;

	asm volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

/* Set TF: each instruction from the next but one on is a #DB. */
static inline void start_single_steps(void)
{
	asm volatile("pushfq\n\torl %0, (%%rsp)\n\tpopfq" : : "i"(RFLAGS_TF) : "memory", "cc");
}

/* Read the time-stamp counter, in TSC ticks. */
static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/* PAUSE, for loops that wait for another CPU. */
static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

/* Write back and invalidate this CPU's caches. */
static inline void wbinvd(void)
{
	asm volatile("wbinvd" : : : "memory");
}

/* Halt this CPU until an NMI or SMI. Glasshouse always runs with interrupts disabled. */
static inline void cpu_halt(void)
{
	asm volatile("hlt" : : : "memory");
}

/* Halt this CPU for good. */
static inline void cpu_stop(void) __noreturn;
static inline void cpu_stop(void)
{
	for (;;)
		cpu_halt();
}

/* Does another hypervisor run this CPU, and say so? It then answers CPUID with bit 31 of
 * CPUID.01H:ECX, which no CPU has. */
bool cpu_is_virtual(void);

/* The width of a physical address in bits (CPUID.80000008H:EAX[7:0]; 36 without that leaf). */
u8 cpu_phys_bits(void);

/* Copy this CPU's brand string to the 49 bytes at @brand; "" if it has none. */
void cpu_brand(char *brand);

#endif
