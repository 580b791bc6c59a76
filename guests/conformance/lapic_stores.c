// SPDX-License-Identifier: MIT
/*
 * 32-bit stores to the local APIC by many kinds of instructions, which a hypervisor may emulate:
 * each writes the register. SDM: "Local APIC Register Address Map".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"

#define TPR_OFFSET 0x80
#define TPR        (0xfee00000ull + TPR_OFFSET) /* bits 7:0 keep what is written */

#define IOAPIC 0xfec00000ull

#define BEFORE 0x10u /* in the register before each store */
#define VALUE  0x20u /* in EAX, XMM0, MM0, ST(0), and where RSI points */

static u32 source[4] __aligned(16);

/* Execute @instructions, with RDI = the register's address, RSI = source, EAX = VALUE, ECX = 1. */
#define STORE(cpu, name, wanted, instructions)                                          \
	do {                                                                            \
		u64 trap_;                                                              \
                                                                                        \
		apic_write(TPR_OFFSET, BEFORE);                                         \
		source[0] = VALUE;                                                      \
		trap_ = TRY(instructions,                                               \
			    :                                                           \
			    : "D"(TPR), "S"(source), "a"(VALUE), "c"(1)                 \
			    : "r11", "rdx", "memory", "cc");                            \
		ok(trap_ == NO_TRAP && (apic_read(TPR_OFFSET) & 0xff) == (wanted),      \
		   "cpu %u: the local APIC is written by %s: trap %lld, %x", cpu, name, \
		   (long long)trap_, apic_read(TPR_OFFSET));                            \
	} while (0)

static void stores_of_registers(unsigned cpu)
{
	STORE(cpu, "MOV", VALUE, "movl %%eax, (%%rdi)");
	STORE(cpu, "MOV of an offset", VALUE, ".byte 0xa3; .quad 0xfee00080");
	STORE(cpu, "MOV of an immediate", VALUE, "movl $0x20, (%%rdi)");
	STORE(cpu, "REP STOS", VALUE, "rep stosl");
	STORE(cpu, "MOVS", VALUE, "movsl; sub $4, %%rdi; sub $4, %%rsi");
	STORE(cpu, "REP MOVS", VALUE, "rep movsl");
	STORE(cpu, "XCHG", VALUE, "xchg %%eax, (%%rdi)");
	STORE(cpu, "XADD", VALUE + BEFORE, "lock xadd %%eax, (%%rdi)");
	STORE(cpu, "CMPXCHG", VALUE,
	      "movl $0x20, %%edx; movl $0x10, %%eax; lock cmpxchg %%edx, (%%rdi)");
	STORE(cpu, "MOVNTI", VALUE, "movnti %%eax, (%%rdi)");
	if (cpuid(1, 0).ecx & BIT(22))
		STORE(cpu, "MOVBE", VALUE, "movl $0x20000000, %%eax; movbe %%eax, (%%rdi)");
}

/* A hypervisor that emulates the store cannot read a device once more for it. */
static void store_of_device(unsigned cpu)
{
	u64 trap_;

	apic_write(TPR_OFFSET, BEFORE);
	trap_ = TRY("movsl", : : "D"(TPR), "S"(IOAPIC) : "r11", "memory");
	ok(trap_ == NO_TRAP && apic_read(TPR_OFFSET) == BEFORE,
	   "cpu %u: MOVS from a device to the local APIC is dropped", cpu);
}

static void stores_of_results(unsigned cpu)
{
	STORE(cpu, "OR", VALUE | BEFORE, "orl %%eax, (%%rdi)");
	STORE(cpu, "ADD", VALUE, "addl $0x10, (%%rdi)");
	STORE(cpu, "INC", BEFORE + 1, "incl (%%rdi)");
	STORE(cpu, "NOT", ~BEFORE & 0xff, "notl (%%rdi)");
	STORE(cpu, "SHL", VALUE, "shll $1, (%%rdi)");
	STORE(cpu, "SHR by CL", BEFORE >> 1, "shrl %%cl, (%%rdi)");
	STORE(cpu, "ROL", VALUE, "roll $1, (%%rdi)");
	STORE(cpu, "RCR", BEFORE >> 1, "clc; rcrl $1, (%%rdi)");
	STORE(cpu, "SAR", BEFORE >> 2, "sarl $2, (%%rdi)");
	STORE(cpu, "SHLD", VALUE, "shldl $1, %%ecx, (%%rdi)");
	STORE(cpu, "SHRD by CL", BEFORE >> 1, "xorl %%edx, %%edx; shrdl %%cl, %%edx, (%%rdi)");
	STORE(cpu, "BTS", BEFORE | 0x20, "btsl $5, (%%rdi)");
}

static void stores_of_fpu(unsigned cpu)
{
	asm volatile("fninit; movl $0x20, %%edx; movd %%edx, %%xmm0; pshufd $0x1b, %%xmm0, %%xmm9"
		     :
		     :
		     : "rdx");
	STORE(cpu, "MOVD of XMM0", VALUE, "movd %%xmm0, (%%rdi)");
	STORE(cpu, "MOVSS", VALUE, "movss %%xmm0, (%%rdi)");
	if (cpuid(1, 0).ecx & BIT(19)) {
		STORE(cpu, "EXTRACTPS", VALUE, "extractps $0, %%xmm0, (%%rdi)");
		STORE(cpu, "PEXTRD of XMM9", VALUE, "pextrd $3, %%xmm9, (%%rdi)");
	}
	STORE(cpu, "MOVD of MM1", VALUE, "movd %%eax, %%mm1; movd %%mm1, (%%rdi); emms");
	STORE(cpu, "FIST", VALUE, "fildl (%%rsi); fistl (%%rdi); fstp %%st");
	STORE(cpu, "FISTP", VALUE, "fildl (%%rsi); fistpl (%%rdi)");
	STORE(cpu, "FISTTP", VALUE, "fildl (%%rsi); fisttpl (%%rdi)");
	/* 1.0 + 2^-18 is 3F800020h. */
	STORE(cpu, "FSTP", VALUE, "movl $0x3f800020, (%%rsi); flds (%%rsi); fstps (%%rdi)");
	STORE(cpu, "STMXCSR", 0x80, "stmxcsr (%%rdi)"); /* 1F80h after a reset */
}

/* The FPU's pointers are those of the guest's store. */
static void check_fpu_pointers(unsigned cpu)
{
	bool dp_changes = cpuid(0, 0).eax < 7 || !(cpuid(7, 0).ebx & BIT(6));
	u32 env[7];
	u64 ip;

	source[0] = VALUE;
	asm volatile("fildl (%3); leaq 1f(%%rip), %0\n1:\tfistpl (%2); fnstenv %1; fninit"
		     : "=&r"(ip), "=m"(env)
		     : "D"(TPR), "S"(source)
		     : "memory");
	ok(env[3] == (u32)ip && (env[4] >> 16 & 0x7ff) == 0x31f &&
		   (!dp_changes || env[5] == (u32)TPR),
	   "cpu %u: FISTP to the local APIC leaves its pointers", cpu);
}

void check_local_apic_stores(unsigned cpu)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	if (rdmsr(MSR_IA32_APICBASE) & APICBASE_EXTD) {
		skip("x2APIC mode", "cpu %u: stores to the local APIC's page", cpu);
		return;
	}
	write_cr0((cr0 & ~(CR0_TS | BIT(2))) | CR0_MP);
	write_cr4(cr4 | CR4_OSFXSR);
	stores_of_registers(cpu);
	stores_of_results(cpu);
	if (under_hypervisor && cpu == 0 && param_number("cpus", 1) > 1)
		store_of_device(cpu);
	if (param("fpustores"))
		skip("#UD on this machine", "cpu %u: the FPU's stores to the local APIC", cpu);
	else {
		stores_of_fpu(cpu);
		check_fpu_pointers(cpu);
	}
	apic_write(TPR_OFFSET, 0);
	write_cr4(cr4);
	write_cr0(cr0);
}

void check_disabled_apic(unsigned cpus)
{
	apic_init(false);
	wrmsr(MSR_IA32_APICBASE, rdmsr(MSR_IA32_APICBASE) & ~APICBASE_ENABLE);
	/* INIT to all including this CPU, to all others, and to CPU 1: there is no local APIC that
	 * would send it. */
	*(volatile u32 *)(TPR - TPR_OFFSET + 0x310) = 1u << 24;
	*(volatile u32 *)(TPR - TPR_OFFSET + 0x300) = 0x84500;
	*(volatile u32 *)(TPR - TPR_OFFSET + 0x300) = 0xc4500;
	*(volatile u32 *)(TPR - TPR_OFFSET + 0x300) = 0x4500;
	ok(true, "a disabled local APIC sends no INIT");
	ok(cpus < 2 || ap_run(1, check_features), "cpu 1: it has not got one");
	if (param_number("apicoff", 0) == 2) /* it stays off to the end */
		return;
	/* As after power-up, except on Bochs and on the oldest CPUs, where it stays off until the
	 * reset. SDM: "Enabling or Disabling the Local APIC". */
	wrmsr(MSR_IA32_APICBASE, rdmsr(MSR_IA32_APICBASE) | APICBASE_ENABLE);
	say("# The local APIC is %s again.\n",
	    rdmsr(MSR_IA32_APICBASE) & APICBASE_ENABLE ? "on" : "not on");
}
