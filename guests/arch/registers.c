// SPDX-License-Identifier: MIT
/*
 * Control, debug and model-specific registers, bit by bit, and CPUID. Which bits are allowed
 * depends on the CPU model. They are part of the tests' names, which must be the same without a
 * hypervisor. SDM: "Control Registers", "Debug Registers", "Extended Control Registers (Including
 * XCR0)", "Model-Specific Registers (MSRs)", "CPUID—CPU Identification".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"

/* The bits of @tried that cause #GP when one of them alone is inverted in the register. */
#define REFUSED_OF(tried, read, instruction)                                \
	({                                                                  \
		u64 old_ = (read), mask_ = 0;                               \
		for (unsigned i_ = 0; i_ < 64; i_++) {                      \
			if (!((tried) >> i_ & 1))                           \
				continue;                                   \
			if (TRY(instruction,                                \
				:                                           \
				: "r"(old_ ^ BIT(i_))                       \
				: "r11", "memory") == GP_VECTOR)            \
				mask_ |= BIT(i_);                           \
			asm volatile(instruction : : "r"(old_) : "memory"); \
		}                                                           \
		mask_;                                                      \
	})
#define REFUSED(read, instruction) REFUSED_OF(~0ull, read, instruction)

static u64 read_cr8(void)
{
	u64 cr8;

	asm volatile("mov %%cr8, %0" : "=r"(cr8));
	return cr8;
}

static u64 read_dr7(void)
{
	u64 dr7;

	asm volatile("mov %%dr7, %0" : "=r"(dr7));
	return dr7;
}

static void check_control_bits(void)
{
	u64 phys = cpuid(0x80000008, 0).eax & 0xff, cr3 = read_cr3(), refused;
	bool same = true;

	write_cr0(read_cr0() & ~(CR0_CD | CR0_NW));
	refused = REFUSED(read_cr0(), "mov %0, %%cr0");
	ok((refused & (GENMASK(63, 32) | CR0_PE | CR0_NW)) == (GENMASK(63, 32) | CR0_PE | CR0_NW),
	   "CR0: #GP for %llx", (unsigned long long)refused);
	/* Writes to the other reserved bits are ignored. */
	for (unsigned i = 6; i < 29; i++) {
		u64 cr0 = read_cr0();

		if (BIT(i) & (CR0_WP | CR0_AM))
			continue;
		write_cr0(cr0 | BIT(i));
		same &= read_cr0() == cr0;
	}
	ok(same, "CR0's other reserved bits stay clear");

	/* Glasshouse owns CR4.VMXE and SMXE, so these are not tested. Nor are the address bits of
	 * CR3, which the guest needs, nor LASS, which would forbid the guest its own code: that is
	 * in the lower half. */
	refused = REFUSED_OF(~(CR4_VMXE | CR4_SMXE | CR4_LASS), read_cr4(), "mov %0, %%cr4");
	ok((refused & GENMASK(63, 32)) == GENMASK(63, 32) && refused & BIT(15) && refused & CR4_PAE,
	   "CR4: #GP for %llx", (unsigned long long)refused);
	refused = 0;
	for (u64 i = phys; i < 64; i++)
		if (TRY("mov %0, %%cr3", : : "r"(cr3 | BIT(i)) : "r11", "memory") == GP_VECTOR)
			refused |= BIT(i);
	write_cr3(cr3);
	ok((refused & GENMASK(60, phys)) == GENMASK(60, phys), "CR3: #GP for %llx",
	   (unsigned long long)refused);
	refused = REFUSED(read_cr8(), "mov %0, %%cr8");
	ok(refused == GENMASK(63, 4), "CR8: #GP for all but four bits");
	refused = REFUSED(read_dr6(), "mov %0, %%dr6");
	ok(refused == GENMASK(63, 32), "DR6: #GP for the upper half");
	refused = REFUSED(read_dr7() | 0x400, "mov %0, %%dr7");
	ok((refused & GENMASK(63, 32)) == GENMASK(63, 32), "DR7: #GP for %llx",
	   (unsigned long long)refused);
}

static u64 try_wrmsr(u32 msr, u64 value)
{
	return TRY("wrmsr",
		   :
		   : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32))
		   : "r11", "memory");
}

void check_msr_bits(const char *name, u32 msr, u64 tried, u64 must)
{
	u64 old = rdmsr(msr), refused = 0;

	for (unsigned i = 0; i < 64; i++) {
		if (!(tried & BIT(i)))
			continue;
		if (try_wrmsr(msr, old ^ BIT(i)) == GP_VECTOR)
			refused |= BIT(i);
		wrmsr(msr, old);
	}
	ok((refused & must) == must, "%s: #GP for %llx", name, (unsigned long long)refused);
}

static u64 try_xsetbv(u64 value)
{
	return TRY("xsetbv",
		   :
		   : "c"(0), "a"((u32)value), "d"((u32)(value >> 32))
		   : "r11", "memory");
}

/* XCR0: each bit together with x87 and SSE. */
static void check_xcr0_bits(void)
{
	u64 cr4 = read_cr4(), refused = 0, lacks;
	struct cpuid_regs r;

	if (!(cpuid(1, 0).ecx & BIT(26)))
		return;
	write_cr4(cr4 | CR4_OSXSAVE);
	r = cpuid(0xd, 0);
	lacks = ~((u64)r.edx << 32 | r.eax);
	for (unsigned i = 2; i < 64; i++)
		if (try_xsetbv(3 | BIT(i)) == GP_VECTOR)
			refused |= BIT(i);
	try_xsetbv(3);
	ok((refused & lacks) == (lacks & ~3ull), "XCR0: #GP for %llx", (unsigned long long)refused);
	ok(try_xsetbv(0) == GP_VECTOR && try_xsetbv(2) == GP_VECTOR, "and without x87");
	try_xsetbv(1);
	write_cr4(cr4);
}

/* CPUID, without the bits that Glasshouse hides: the rest must be the CPU's own. */
static void check_cpuid(void)
{
	static const struct {
		u32 leaf, subleaf, eax, ebx, ecx, edx;
	} hidden[] = {
		{0, 0, 0, 0, 0, 0},
		{1, 0, 0, 0, (u32)(BIT(2) | BIT(4) | BIT(5) | BIT(6)), (u32)BIT(21)},
		{2, 0, 0, 0, 0, 0},
		{4, 0, 0, 0, 0, 0},
		{5, 0, 0, 0, 0, 0},
		{6, 0, (u32)(BIT(19) | BIT(23)), 0, 0, 0},
		{7, 0, 0, (u32)(BIT(14) | BIT(25)), (u32)(BIT(7) | BIT(16) | BIT(31)),
		 (u32)(BIT(19) | BIT(20))},
		{0xd, 0, 0, 0, 0, 0},
		{0xd, 1, 0, 0, 0, 0},
		{0x80000001, 0, 0, 0, 0, 0},
		{0x80000008, 0, 0, 0, 0, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++) {
		struct cpuid_regs r = cpuid(hidden[i].leaf, hidden[i].subleaf);

		ok(true, "CPUID %x.%x: %x %x %x %x", hidden[i].leaf, hidden[i].subleaf,
		   r.eax & ~hidden[i].eax, r.ebx & ~hidden[i].ebx, r.ecx & ~hidden[i].ecx,
		   r.edx & ~hidden[i].edx);
	}
}

/* ---- Instructions that do not exit, and some that do ----------------------------------------- */

/* The result (no exception, #UD or #GP) is in the test's name: natively it must be the same. */
#define SAME(what, instruction, ...)                                                    \
	do {                                                                            \
		u64 vector_ = TRY(instruction,                                          \
				  :                                                     \
				  : __VA_ARGS__                                         \
				  : "r11", "rax", "rbx", "rcx", "rdx", "cc", "memory"); \
		ok(vector_ == NO_TRAP || vector_ == UD_VECTOR || vector_ == GP_VECTOR,  \
		   what ": %lld", (long long)vector_);                                  \
	} while (0)

/* MWAIT may end at once. If it waits, the timer's interrupt ends it. */
static void check_mwait(const void *line)
{
	u64 count = trap.count;

	if (!(cpuid(1, 0).ecx & BIT(3))) {
		SAME("no MONITOR", "mov %0, %%rax; xor %%ecx, %%ecx; xor %%edx, %%edx; monitor",
		     "r"(line));
		return;
	}
	apic_write(0x3e0, 0xb);
	apic_write(0x320, TIMER_VECTOR);
	apic_write(0x380, 20000);
	for (unsigned i = 0; i < 100000 && trap.count == count; i++)
		asm volatile("mov %0, %%rax; monitor; xor %%eax, %%eax; sti; mwait; cli"
			     :
			     : "r"(line), "c"(0), "d"(0)
			     : "rax", "memory");
	ok(trap.count == count + 1 && trap.vector == TIMER_VECTOR,
	   "MONITOR and MWAIT, until an interrupt comes");
}

static void check_instructions(void)
{
	static u8 area[4096] __aligned(64);
	static u64 line[8] __aligned(64);
	u64 cr4 = read_cr4();

	asm volatile("clts");
	SAME("WBINVD", "wbinvd");
	SAME("INVD", "invd");
	SAME("INVLPG", "invlpg (%0)", "r"(area));
	SAME("PAUSE", "pause");
	SAME("RDTSCP", "rdtscp");
	SAME("RDPMC of 0", "xor %%ecx, %%ecx; rdpmc");
	SAME("RDPMC of a missing counter", "mov $0x1234, %%ecx; rdpmc");
	SAME("INVPCID of all", "mov $2, %%eax; invpcid (%0), %%rax", "r"(line));
	SAME("INVPCID of an undefined type", "mov $4, %%eax; invpcid (%0), %%rax", "r"(line));
	SAME("RDRAND", "rdrand %%rax");
	SAME("RDSEED", "rdseed %%rax");
	SAME("MONITOR with a hint", "mov %0, %%rax; mov $1, %%ecx; monitor", "r"(line));
	if (cpuid(1, 0).ecx & BIT(26)) {
		write_cr4(cr4 | CR4_OSXSAVE);
		SAME("XGETBV", "xor %%ecx, %%ecx; xgetbv");
		SAME("XGETBV of 1", "mov $1, %%ecx; xgetbv");
		SAME("XSAVES", "mov $1, %%eax; xor %%edx, %%edx; xsaves (%0)", "r"(area));
		SAME("XRSTORS", "mov $1, %%eax; xor %%edx, %%edx; xrstors (%0)", "r"(area));
		write_cr4(cr4);
	}
	check_mwait(line);
}

void check_registers(void)
{
	u64 reserved;

	check_control_bits();
	check_msr_bits("IA32_EFER", MSR_EFER, ~0ull,
		       ~(EFER_SCE | EFER_LMA | EFER_NX | GENMASK(15, 12)));
	check_msr_bits("IA32_PAT", MSR_IA32_CR_PAT, ~0ull, 0xf8f8f8f8f8f8f8f8);
	/* Not the address bits, nor those that change the mode. */
	reserved = GENMASK(7, 0) | BIT(9) | GENMASK(63, cpuid(0x80000008, 0).eax & 0xff);
	check_msr_bits("IA32_APIC_BASE", MSR_IA32_APICBASE, reserved, reserved);
	check_xcr0_bits();
	check_cpuid();
	check_instructions();
}
