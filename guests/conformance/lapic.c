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
}
