/* SPDX-License-Identifier: MIT */
/*
 * The CPU's name. SDM: "The Processor Brand String Method".
 */
#include "arch/x86/cpu.h"
#include "lib/string.h"

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
