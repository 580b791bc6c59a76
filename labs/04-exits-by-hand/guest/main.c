// SPDX-License-Identifier: MIT
/*
 * The guest of lab 4: instructions that exit, and what they do besides; then so many of three kinds
 * as the command line says: cpuids=N, writes=N (WRMSR), port=N (decimal) and ios=N (IN from that
 * port). stay=1: at its end it waits for a q on COM1.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"

#define UPPER 0xffffffff00000000ull

/* RAX after IN from port 92h, when it was ones before. */
static u64 in_byte(void)
{
	u64 rax = ~0ull;

	asm volatile("inb $0x92, %%al" : "+a"(rax));
	return rax;
}

static bool upper_halves_are_0(void)
{
	u64 rax = UPPER, rdx = UPPER;

	asm volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(MSR_IA32_FEAT_CTL));
	return !(rax & UPPER) && !(rdx & UPPER);
}

#define EXITS_LEAF  0x40000002u
#define CPUID_EXITS 10

/* The leaf that counts exits counts those of CPUID, which asking for it is, too. */
static bool exits_are_counted(void)
{
	struct cpuid_regs before = cpuid(EXITS_LEAF, CPUID_EXITS), after;

	for (unsigned i = 0; i < 5; i++)
		cpuid(0, 0);
	after = cpuid(EXITS_LEAF, CPUID_EXITS);
	return before.eax && after.eax == before.eax + 6 && before.ecx == 1;
}

static void check_instructions(void)
{
	u64 base = rdmsr(MSR_IA32_APICBASE);

	ok(!(cpuid(1, 0).ecx & BIT(5)), "CPUID does not show VMX");
	ok((in_byte() & ~0xffull) == ~0xffull, "IN AL keeps the rest of RAX");
	ok(upper_halves_are_0(), "RDMSR clears the upper halves of RAX and RDX");
	wrmsr(MSR_IA32_APICBASE, base);
	ok(rdmsr(MSR_IA32_APICBASE) == base, "WRMSR writes what is in EDX:EAX");
	ok(TRY("movl $0x480, %%ecx\n\trdmsr",
	       :
	       :
	       : "rax", "rcx", "rdx", "r11", "memory") == GP_VECTOR,
	   "RDMSR of an MSR of VMX: #GP");
	ok(STEPS("xor %%eax, %%eax", "cpuid"), "a single step over CPUID");
	ok(STEPS("", "inb $0x92, %%al"), "a single step over IN");
	ok(exits_are_counted(), "CPUID counts exits");
	ok(STEPS("mov $0x1b, %%ecx\n\trdmsr", "wrmsr"), "a single step over WRMSR");
}

void guest_main(void)
{
	u64 base = rdmsr(MSR_IA32_APICBASE);
	u16 port = (u16)param_number("port", 0x92);

	check_instructions();
	for (u64 i = param_number("cpuids", 1); i; i--)
		cpuid(0, 0);
	for (u64 i = param_number("writes", 1); i; i--)
		wrmsr(MSR_IA32_APICBASE, base);
	for (u64 i = param_number("ios", 1); i; i--)
		inb(port);
	plan();
	while (param_number("stay", 0) && typed() != 'q')
		cpu_relax();
}
