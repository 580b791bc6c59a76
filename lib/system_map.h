/* SPDX-License-Identifier: MIT */
/*
 * Symbols in the text that `nm -n` prints, as Linux' System.map: lines of an address in
 * hexadecimal, a letter, a name; sorted by address. Pure.
 */
#ifndef GH_SYSTEM_MAP_H
#define GH_SYSTEM_MAP_H

#include "types.h"

/*
 * Find the last symbol at or before @address among the @size bytes of @text. Returns false if there
 * is none, or the text there is none of such a list. Stores its name, cut to @room bytes with the
 * NUL (1 or more), and the distance from it in *@offset, in bytes.
 */
bool system_map_lookup(const char *text, size_t size, u64 address, char *name, size_t room,
		       u64 *offset);

/* Find the address of the first symbol with the name @name, and store it in *@address. Returns
 * false if there is none. Reads all of the text. */
bool system_map_find(const char *text, size_t size, const char *name, u64 *address);

#endif
