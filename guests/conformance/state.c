// SPDX-License-Identifier: MIT
/*
 * State that a VM exit must not change: registers, flags, descriptor tables, XMM registers, CR2.
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr_index.h"
#include "lib/string.h"

/*
 * Fill the registers that @instruction does not write with patterns, except RSP, and execute it.
 * Yields true if they have not changed. %0 collects the differences.
 */
#define REGISTERS_KEPT(instruction, eax, ecx)                                                      \
	({                                                                                         \
		u64 sum_;                                                                          \
		asm volatile("push %%rbp\n\tpush %%rbx\n\t"                                        \
			     "mov $0x1101, %%rbp\n\tmov $0x1102, %%rsi\n\t"                        \
			     "mov $0x1103, %%rdi\n\tmov $0x1108, %%r8\n\t"                         \
			     "mov $0x1109, %%r9\n\tmov $0x110a, %%r10\n\t"                         \
			     "mov $0x110b, %%r11\n\tmov $0x110c, %%r12\n\t"                        \
			     "mov $0x110d, %%r13\n\tmov $0x110e, %%r14\n\t"                        \
			     "mov $0x110f, %%r15\n\t"                                              \
			     "push %%rsp\n\t" instruction "\n\t"                                   \
			     "pop %%rax\n\tsub %%rsp, %%rax\n\t"                                   \
			     "xor $0x1101, %%rbp\n\txor $0x1102, %%rsi\n\t"                        \
			     "xor $0x1103, %%rdi\n\txor $0x1108, %%r8\n\t"                         \
			     "xor $0x1109, %%r9\n\txor $0x110a, %%r10\n\t"                         \
			     "xor $0x110b, %%r11\n\txor $0x110c, %%r12\n\t"                        \
			     "xor $0x110d, %%r13\n\txor $0x110e, %%r14\n\t"                        \
			     "xor $0x110f, %%r15\n\t"                                              \
			     "or %%rbp, %%rax\n\tor %%rsi, %%rax\n\tor %%rdi, %%rax\n\t"           \
			     "or %%r8, %%rax\n\tor %%r9, %%rax\n\tor %%r10, %%rax\n\t"             \
			     "or %%r11, %%rax\n\tor %%r12, %%rax\n\tor %%r13, %%rax\n\t"           \
			     "or %%r14, %%rax\n\tor %%r15, %%rax\n\t"                              \
			     "pop %%rbx\n\tpop %%rbp"                                              \
			     : "=a"(sum_)                                                          \
			     : "a"(eax), "c"(ecx)                                                  \
			     : "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", \
			       "r15", "cc", "memory");                                             \
		sum_ == 0;                                                                         \
	})

/* True if CPUID keeps the XMM registers and MXCSR. CR4.OSFXSR must be set. */
static bool sse_kept(void)
{
	static u8 before[512] __aligned(16), after[512] __aligned(16);

	for (unsigned i = 0; i < 16; i++)
		asm volatile("fxsave %0" : "=m"(before));
	memset(before + 160, 0x5a, 256);
	before[24] = 0x80; /* MXCSR 1F80h, */
	before[25] = 0x3f; /* and rounding down */
	asm volatile("fxrstor %0" : : "m"(before));
	for (u32 i = 0; i < 100; i++)
		cpuid(i & 1, 0);
	asm volatile("fxsave %0" : "=m"(after));
	return !memcmp(before + 24, after + 24, 2) && !memcmp(before + 160, after + 160, 256);
}

/* True if CPUID keeps the status flags and DF. */
static bool flags_kept(void)
{
	u64 after;

	asm volatile(
		"push $0xcd7; popf; xor %%eax, %%eax; push $0xcd7; popf; cpuid; pushf; pop %0; cld"
		: "=r"(after)
		:
		: "rax", "rbx", "rcx", "rdx", "cc", "memory");
	return after == 0xcd7;
}

/* True if CPUID keeps GDTR, IDTR, TR, LDTR. A VM exit loads them for the host, with other limits.
 */
static bool tables_kept(void)
{
	u8 before[24] = {0}, after[24] = {0};

	asm volatile("sgdt %0; sidt %1; str %2; sldt %3"
		     : "=m"(*(u8(*)[10])before), "=m"(*(u8(*)[10])(before + 10)),
		       "=m"(*(u16 *)(before + 20)), "=m"(*(u16 *)(before + 22)));
	cpuid(0, 0);
	asm volatile("sgdt %0; sidt %1; str %2; sldt %3"
		     : "=m"(*(u8(*)[10])after), "=m"(*(u8(*)[10])(after + 10)),
		       "=m"(*(u16 *)(after + 20)), "=m"(*(u16 *)(after + 22)));
	return !memcmp(before, after, sizeof(before));
}

static bool segments_kept(void)
{
	u16 before[6], after[6];

#define READ_SEGMENTS(to)                                                                     \
	asm volatile("mov %%cs, %0; mov %%ds, %1; mov %%es, %2; mov %%ss, %3; mov %%fs, %4; " \
		     "mov %%gs, %5"                                                           \
		     : "=m"(to[0]), "=m"(to[1]), "=m"(to[2]), "=m"(to[3]), "=m"(to[4]),       \
		       "=m"(to[5]))
	READ_SEGMENTS(before);
	cpuid(0, 0);
	READ_SEGMENTS(after);
	return !memcmp(before, after, sizeof(before));
}

static bool debug_registers_kept(void)
{
	u64 dr0, dr3, dr7;

	asm volatile("mov %0, %%dr0; mov %1, %%dr3" : : "r"(0x12345678ull), "r"(0x87654321ull));
	asm volatile("mov %0, %%dr7" : : "r"(0x400ull | BIT(28)));
	cpuid(0, 0);
	asm volatile("mov %%dr0, %0; mov %%dr3, %1; mov %%dr7, %2"
		     : "=r"(dr0), "=r"(dr3), "=r"(dr7));
	asm volatile("mov %0, %%dr7" : : "r"(0x400ull));
	return dr0 == 0x12345678 && dr3 == 0x87654321 && dr7 == (0x400 | BIT(28));
}

void check_state(unsigned cpu)
{
	u64 cr2 = 0x123456789000, cr4 = read_cr4(), t0, t1;

	ok(REGISTERS_KEPT("cpuid", 0, 0), "cpu %u: CPUID keeps the other registers", cpu);
	ok(TRY("rdmsr",
	       :
	       : "a"(0), "d"(0), "c"(MSR_IA32_FEAT_CTL)
	       : "r11", "memory") != NO_TRAP ||
		   REGISTERS_KEPT("rdmsr", 0, MSR_IA32_FEAT_CTL),
	   "cpu %u: RDMSR keeps the other registers", cpu);
	ok(flags_kept(), "cpu %u: CPUID keeps the flags", cpu);
	write_cr4(cr4 | CR4_OSFXSR);
	ok(sse_kept(), "cpu %u: exits keep the XMM registers and MXCSR", cpu);
	write_cr4(cr4);
	ok(tables_kept(), "cpu %u: exits keep GDTR, IDTR, TR, LDTR", cpu);
	ok(segments_kept(), "cpu %u: exits keep the segment registers", cpu);
	ok(debug_registers_kept(), "cpu %u: exits keep the debug registers", cpu);
	asm volatile("mov %0, %%cr2" : : "r"(cr2));
	cpuid(0, 0);
	ok(read_cr2() == cr2, "cpu %u: exits keep CR2", cpu);

	t0 = rdtsc();
	cpuid(0, 0);
	t1 = rdtsc();
	ok(t1 > t0, "cpu %u: the TSC goes forward", cpu);
	ok(inw(0xb004) == inw(0xb004) && (outw(0xb004, inw(0xb004) & 0x1fff), true),
	   "cpu %u: the power port can be read and written without power-off", cpu);
	ok(inb(0x64) != 0xff, "cpu %u: the keyboard controller answers", cpu);
}
