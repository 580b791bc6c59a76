// SPDX-License-Identifier: MIT
/*
 * The guest of lab 1: it executes instructions that exit, and ends by switching the machine off,
 * for which Glasshouse leaves VMX operation. With stay=1 it executes CPUID before that, until a q
 * comes on COM1.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"

void guest_main(void)
{
	u64 before = rdtsc();
	bool same = true;

	ok(under_glasshouse(), "CPUID tells the guest that it runs under Glasshouse");
	for (unsigned i = 0; i < 100; i++)
		same &= cpuid(0, 0).ebx == cpuid(0, 0).ebx;
	ok(same, "CPUID answers the same each time");
	ok(cpuid(0, 0).eax > 1 && cpuid(1, 0).eax, "and what it was asked for");
	ok(rdtsc() > before, "time passes");
	plan();
	while (param_number("stay", 0) && typed() != 'q')
		cpuid(0, 0);
}
