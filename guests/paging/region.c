// SPDX-License-Identifier: MIT
/*
 * The region for tests of changing tables.
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

static u64 pt[512] __aligned(4096), pd[512] __aligned(4096), pdp[512] __aligned(4096);
u64 spare[4][512] __aligned(4096);
u64 *const region[4] = {pt, pd, pdp, pml4};

u64 *region_entry(int level)
{
	return level == 4 ? &pml4[TEST_SLOT] : region[level - 1];
}

void set_entry(u64 *entry, u64 value)
{
	*(volatile u64 *)entry = value;
}

void flush_all(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
}

void region_reset(void)
{
	memset(pt, 0, sizeof(pt));
	memset(pd, 0, sizeof(pd));
	memset(pdp, 0, sizeof(pdp));
	memset(spare, 0, sizeof(spare));
	for (u64 i = 0; i < 64; i++) {
		pt[i] = FRAME(i) | ALL;
		memset((void *)FRAME(i), (int)i, 64);
	}
	for (u64 i = 0; i < 4; i++)
		for (u64 at = 0; at < MIB(2); at += 4096)
			memset((void *)(BIG(i) + at), 128 + (int)i, 64);
	pd[0] = (u64)pt | ALL;
	pdp[0] = (u64)pd | ALL;
	pml4[TEST_SLOT] = (u64)pdp | ALL;
	flush_all();
}

bool soon(unsigned kind, u64 va)
{
	struct probe p;

	probe_run(&p, kind, va);
	if (p.vector == PF_VECTOR)
		probe_run(&p, kind, va);
	return p.vector == BP_VECTOR;
}

bool faults(unsigned kind, u64 va, u32 error)
{
	struct probe p;

	probe_run(&p, kind, va);
	return p.vector == PF_VECTOR && p.error == error && p.cr2 == va;
}
