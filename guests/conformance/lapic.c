// SPDX-License-Identifier: MIT
/*
 * Writes to the local APIC's page, which a hypervisor may carry out, by unusual addresses: each
 * reaches its register. SDM: "Specifying an Offset", "Local APIC Register Address Map".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"

#define TPR_OFFSET 0x80
#define TPR        (0xfee00000ull + TPR_OFFSET) /* bits 7:0 keep what is written */

static void by_fs(void)
{
	u64 old = rdmsr(MSR_FS_BASE);

	wrmsr(MSR_FS_BASE, TPR - 0x100);
	asm volatile("movl $0x10, %%fs:0x100" : : : "memory");
	wrmsr(MSR_FS_BASE, old);
}

static void by_scaled_index(void)
{
	asm volatile("movl $0x20, 0x18(%0,%1,8)" : : "r"(TPR), "r"(-3ll) : "memory");
}

/* With 32-bit addresses the upper halves do not count. */
static void by_wrapped_address(void)
{
	asm volatile("movl $0x30, (%%ecx,%%edx)"
		     :
		     : "c"(0xabcd00000000ull + TPR + 0x1000), "d"(0xfffff000ull)
		     : "memory");
}

static void by_stos(void)
{
	u64 rdi = TPR;

	asm volatile("stosl" : "+D"(rdi) : "a"(0x40) : "memory");
}

/* BTS with a negative bit offset, -250: bit 6 of the doubleword eight below the operand, which is
 * the TPR. */
static void by_bit_number(void)
{
	asm volatile("btsl %1, (%0)" : : "r"(TPR + 0x20), "r"(6 - 8 * 0x20) : "memory", "cc");
}

#define AT_EDGE (TEST_PAGES + 4096 - 2) /* 4 bytes: 2 on the first test page, 2 on the next */

/* Writes of which only a half is in the local APIC's page, while Glasshouse emulates them: the
 * other half is written. Emulators without Glasshouse stop at such a write. */
static void check_edge(unsigned cpu)
{
	static u8 page[4096] __aligned(4096);
	volatile u16 *own[] = {(u16 *)page, (u16 *)(page + 4094)};

	for (unsigned first = 0; first < 2; first++) {
		u16 half = first ? 0x4444 : 0x5555;
		const char *where = first ? "ends" : "begins";

		set_page(!first, (u64)page + 3);
		set_page(first, 0xfee00003);
		*own[first] = 0x1111;
		ok(TRY("movl %1, (%0)",
		       :
		       : "r"(AT_EDGE), "r"(0x55554444)
		       : "r11", "memory") == NO_TRAP &&
			   *own[first] == half,
		   "cpu %u: MOV that %s in the local APIC's page", cpu, where);
		ok(TRY("orl %1, (%0)",
		       :
		       : "r"(AT_EDGE), "r"(0x22222222)
		       : "r11", "memory", "cc") == NO_TRAP &&
			   *own[first] == (half | 0x2222),
		   "cpu %u: OR that %s there", cpu, where);
		set_page(!first, 0);
		ok(TRY("movl %1, (%0)",
		       :
		       : "r"(AT_EDGE), "r"(0)
		       : "r11", "memory") == PF_VECTOR &&
			   (trap.cr2 & ~0xfffull) == TEST_PAGES + (first ? 0 : 4096),
		   "cpu %u: #PF: the other half of MOV that %s there", cpu, where);
	}
	set_page(0, 0);
	set_page(1, 0);
}

void check_local_apic(unsigned cpu)
{
	static const struct {
		const char *name;
		void (*write)(void);
		u32 wanted;
	} ways[] = {
		{"by FS", by_fs, 0x10},
		{"by a scaled index", by_scaled_index, 0x20},
		{"by an address that wraps", by_wrapped_address, 0x30},
		{"by STOS", by_stos, 0x40},
		{"by a bit's number", by_bit_number, 0x40},
	};
	bool x2apic = rdmsr(MSR_IA32_APICBASE) & APICBASE_EXTD;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		if (x2apic) {
			skip("x2APIC mode", "cpu %u: the local APIC is written %s", cpu,
			     ways[i].name);
			continue;
		}
		apic_write(TPR_OFFSET, 0);
		ways[i].write();
		ok(apic_read(TPR_OFFSET) == ways[i].wanted, "cpu %u: the local APIC is written %s",
		   cpu, ways[i].name);
		apic_write(TPR_OFFSET, 0);
	}
	if (under_hypervisor && !x2apic && cpu == 0 && param_number("cpus", 1) > 1)
		check_edge(cpu);
	else
		skip("not emulated", "cpu %u: writes to an edge of the local APIC's page", cpu);
}
