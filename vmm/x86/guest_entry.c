/* SPDX-License-Identifier: MIT */
/*
 * One entry of a guest's page tables. See guest_entry.h.
 */
#include "vmm/x86/guest_entry.h"
#include "vmm/memslot.h"

u64 walk_reserved(const struct paging_mode *mode, int level, bool leaf)
{
	unsigned phys = mode->phys_bits;
	u64 bits;

	if (mode->entry_size == 4)
		return leaf && level == 2 ? GENMASK(21, MIN(phys, 40) - 32 + 13) : 0;
	bits = phys < 52 || mode->levels == 3 ? GENMASK(mode->levels == 3 ? 62 : 51, phys) : 0;
	if (!mode->nx)
		bits |= PT_NX;
	if (leaf && level > 1)
		bits |= GENMASK(level_shift(mode, level) - 1, 13);
	if (level > 3 || (level == 3 && !mode->page_1g))
		bits |= PT_PS;
	return bits;
}

gpa_t walk_page(const struct paging_mode *mode, int level, u64 entry)
{
	u64 page = entry & (mode->entry_size == 4 ? GENMASK(31, 12) : PT_ADDR);

	if (level == 1)
		return page;
	if (mode->entry_size == 4)
		page |= (entry >> 13 & 0xff) << 32;
	return page & ~(BIT(level_shift(mode, level)) - 1);
}

u64 read_guest_entry(struct vm *vm, gpa_t at, unsigned size, void **host)
{
	u64 hva = gfn_to_hva(vm, at >> PAGE_SHIFT);

	*host = hva ? (void *)(hva + (at & ~PAGE_MASK)) : NULL;
	if (!hva)
		return ~0ull >> (64 - 8 * size);
	return size == 4 ? *(const volatile u32 *)*host : *(const volatile u64 *)*host;
}

bool set_entry_flags(void *host, u64 *entry, u64 flags, unsigned size)
{
	u64 new = *entry | flags;
	u32 old = (u32)*entry;
	bool same = true;

	if (new == *entry)
		return true;
	if (host && size == 4)
		same = __atomic_compare_exchange_n((u32 *)host, &old, (u32) new, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	else if (host)
		same = __atomic_compare_exchange_n((u64 *)host, entry, new, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_RELAXED);
	if (same)
		*entry = new;
	return same;
}
