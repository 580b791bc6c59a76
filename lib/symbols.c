/* SPDX-License-Identifier: MIT */
/*
 * Binary search in the symbol table.
 */
#include "lib/symbols.h"

extern const char __image_start[], __text_end[];
extern const u32 symbols_count, symbols_offsets[], symbols_names[];
extern const char symbols_strings[];

const char *symbol_lookup(u64 address, u64 *offset)
{
	u64 distance = address - (u64)__image_start;
	u32 low = 0, high = symbols_count;

	if (!high || address < (u64)__image_start || address >= (u64)__text_end ||
	    distance < symbols_offsets[0])
		return NULL;
	while (high - low > 1) {
		u32 mid = (low + high) / 2;

		if (symbols_offsets[mid] <= distance)
			low = mid;
		else
			high = mid;
	}
	*offset = distance - symbols_offsets[low];
	return symbols_strings + symbols_names[low];
}
