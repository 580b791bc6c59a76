/* SPDX-License-Identifier: MIT */
/*
 * Write a guest's first page tables and GDT.
 */
#include "vmm/x86/long_mode.h"
#include "arch/x86/layout.h"
#include "lib/string.h"

#define PRESENT_RW 3ull
#define LARGE      BIT(7)

void fill_identity_map(u64 *table, u64 gpa)
{
	u64 *pml4 = table, *pdpt = table + 512, *pd = table + 1024;

	memset(table, 0, IDENTITY_MAP_PAGES * PAGE_SIZE);
	pml4[0] = (gpa + PAGE_SIZE) | PRESENT_RW;
	for (unsigned i = 0; i < 4; i++)
		pdpt[i] = (gpa + (2 + i) * PAGE_SIZE) | PRESENT_RW;
	for (u64 i = 0; i < IDENTITY_MAP_SIZE / MIB(2); i++)
		pd[i] = i * MIB(2) | LARGE | PRESENT_RW;
}

void fill_boot_gdt(u64 *gdt, bool long_mode)
{
	memset(gdt, 0, BOOT_GDT_SIZE);
	gdt[BOOT_CS / 8] = long_mode ? DESC_CODE64 : DESC_CODE32;
	gdt[BOOT_DS / 8] = DESC_DATA;
}
