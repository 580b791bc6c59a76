/* SPDX-License-Identifier: MIT */
/*
 * The search in the symbol table: from its begin, as it holds distances, which are small.
 */
#include "lib/symbols.h"
#include "lib/string.h"

extern const char __image_start[], __text_end[];
extern const u32 symbols_count;
extern const u16 symbols_distances[]; /* of each function from the one before it, in bytes */
extern const char symbols_strings[];  /* their names, each with a NUL */

const char *symbol_lookup(u64 address, u64 *offset)
{
	u64 wanted = address - (u64)__image_start, at;
	const char *name = symbols_strings;

	if (!symbols_count || address < (u64)__image_start || address >= (u64)__text_end ||
	    wanted < symbols_distances[0])
		return NULL;
	at = symbols_distances[0];
	for (u32 i = 1; i < symbols_count && at + symbols_distances[i] <= wanted; i++) {
		at += symbols_distances[i];
		name += strlen(name) + 1;
	}
	*offset = wanted - at;
	return name;
}
