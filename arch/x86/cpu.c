/* SPDX-License-Identifier: MIT */
/*
 * Properties of the CPU that CPUID reports.
 */
#include "arch/x86/cpu.h"
#include "lib/string.h"

bool cpu_is_virtual(void)
{
	return cpuid(1, 0).ecx & BIT(31);
}

u8 cpu_phys_bits(void)
{
	return cpuid(0x80000000, 0).eax >= 0x80000008 ? (u8)cpuid(0x80000008, 0).eax : 36;
}

/* SDM: "The Processor Brand String Method". */
void cpu_brand(char *brand)
{
	u32 *words = (u32 *)brand;

	memset(brand, 0, 49);
	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return;
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid(0x80000002 + i, 0);

		*words++ = r.eax;
		*words++ = r.ebx;
		*words++ = r.ecx;
		*words++ = r.edx;
	}
}
