/* SPDX-License-Identifier: MIT */
/*
 * The data of the resident INT 15h handler. See int15.h.
 */
#include "vmm/vm0/int15.h"
#include "lib/string.h"

struct e820_entry {
	u64 base, size;
	u32 type;
} __packed;

extern const char int15_code[], int15_code_end[], int15_entry[];

_Static_assert(sizeof(struct int15_data) == 16 && offsetof(struct int15_data, entries) == 12,
	       "int15_handler.S uses the offsets");

static size_t code_size(void)
{
	return (size_t)(int15_code_end - int15_code);
}

size_t int15_size(unsigned nr)
{
	return sizeof(struct int15_data) + code_size() + nr * sizeof(struct e820_entry);
}

/* Returns the bytes of contiguous RAM from @base on, up to @end. */
static u64 ram_from(const struct memmap *map, u64 base, u64 end)
{
	for (unsigned i = 0; i < map->nr; i++) {
		const struct mem_range *r = &map->r[i];

		if (r->type == MEM_RAM && base >= r->base && base - r->base < r->size)
			return MIN(r->base + r->size, end) - base;
	}
	return 0;
}

u16 int15_build(void *segment, const struct memmap *map, u32 old)
{
	struct int15_data *data = segment;
	char *code = (char *)(data + 1);
	struct e820_entry *entries = (struct e820_entry *)(code + code_size());
	u64 low = ram_from(map, MIB(1), MIB(16));

	*data = (struct int15_data){
		.old_offset = (u16)old,
		.old_segment = (u16)(old >> 16),
		.kib_above = (u16)MIN(ram_from(map, MIB(1), MIB(65)) / KIB(1), 0xffff),
		.kib_low = (u16)(low / KIB(1)),
		/* Callers add the two sizes, so there must be no hole between. */
		.blocks = low == MIB(15) ? (u16)(ram_from(map, MIB(16), GIB(4)) / KIB(64)) : 0,
		.count = (u16)map->nr,
		.entries = (u16)((char *)entries - (char *)segment),
	};
	memcpy(code, int15_code, code_size());
	for (unsigned i = 0; i < map->nr; i++)
		entries[i] = (struct e820_entry){map->r[i].base, map->r[i].size, map->r[i].type};
	return (u16)(sizeof(*data) + (size_t)(int15_entry - int15_code));
}
