// SPDX-License-Identifier: MIT
/*
 * Pages that tests map, and the memory that Glasshouse hides from the guest.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"

extern u64 pdpt[512]; /* head.S; the first four entries are in use */

u64 *set_page(unsigned i, u64 entry)
{
	static u64 pd[512] __aligned(4096), pt[512] __aligned(4096);

	pdpt[TEST_PAGES >> 30] = (u64)pd + 7;
	pd[0] = (u64)pt + 7;
	pt[i] = entry;
	invlpg(TEST_PAGES + i * 4096ull);
	return &pt[i];
}

void map_above_4g(void)
{
	for (u64 i = 4; i < 512; i++)
		pdpt[i] = GIB(i) | 0x83;
}

/* The highest address of reserved memory below 3 GiB, which is where RAM ends. */
static u64 reserved_end(void)
{
	const struct e820_entry *e;
	u64 end = 0;

	for (unsigned i = 0; (e = e820_entry(i)); i++)
		if (e->type == 2 && e->start + e->size <= GIB(3))
			end = MAX(end, e->start + e->size);
	return end;
}

bool hidden_range(unsigned n, struct e820_entry *range)
{
	u64 end = reserved_end() - param_number("firmware", 0) * 1024;
	const struct e820_entry *e;

	for (unsigned i = 0; (e = e820_entry(i)); i++) {
		if (e->type != 2 || e->start < MIB(16) || e->start >= end || n--)
			continue;
		*range = *e;
		range->size = MIN(e->size, end - e->start);
		return true;
	}
	return false;
}

u64 hidden_page(unsigned n)
{
	struct e820_entry e;

	if (!hidden_range(0, &e))
		return 0;
	for (u64 at = e.start; at < e.start + e.size; at += 4096)
		if (!is_readable(at) && !n--)
			return at;
	return 0;
}

bool is_readable(u64 address)
{
	for (unsigned i = 0; i < LOG_RINGS; i++) {
		u64 size, start = find_log((enum log_ring_of)i, &size);

		if (start && address - start < size)
			return true;
	}
	return false;
}

u64 find_log(enum log_ring_of which, u64 *size)
{
	struct cpuid_regs r = cpuid(LOG_RING_LEAF, which);

	*size = under_glasshouse() ? r.ecx : 0;
	return *size ? (u64)r.ebx << 32 | r.eax : 0;
}
