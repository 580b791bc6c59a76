/* SPDX-License-Identifier: MIT */
/*
 * The sizes of memory in the CMOS RAM: see cmos_memory.h.
 */
#include "vmm/vm0/cmos_memory.h"

/* A size field: @bytes registers, low byte first, in units of @unit from @start. */
struct memory_size {
	u8 first, bytes;
	u64 start, unit;
	u64 from; /* readers assume RAM from here */
};

static const struct memory_size sizes[] = {
	{0x15, 2, 0, KIB(1), 0},
	{0x17, 2, MIB(1), KIB(1), MIB(1)},
	{0x30, 2, MIB(1), KIB(1), MIB(1)},
	{0x34, 2, MIB(16), KIB(64), MIB(1)},
	{0x5b, 3, GIB(4), KIB(64), GIB(4)},
};

static const struct memory_size *find(u8 index)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (index >= sizes[i].first && index < sizes[i].first + sizes[i].bytes)
			return &sizes[i];
	return NULL;
}

bool cmos_is_memory(u8 index)
{
	return find(index);
}

/* Where the memory that @size counts ends for the guest; @end: where it ends on the machine. */
static u64 guest_end(const struct memory_size *size, u64 end, const struct mem_range *taken,
		     unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (taken[i].size && taken[i].base + taken[i].size > size->from)
			end = MIN(end, MAX(taken[i].base, size->start));
	return end;
}

u8 cmos_memory_byte(const u8 *machine, u8 index, const struct mem_range *taken, unsigned nr)
{
	const struct memory_size *size = find(index);
	u64 count = 0, end;

	for (unsigned i = 0; i < size->bytes; i++)
		count |= (u64)machine[size->first + i] << 8 * i;
	end = guest_end(size, size->start + count * size->unit, taken, nr);
	count = (end - size->start) / size->unit;
	return (u8)(count >> 8 * (index - size->first));
}
