/* SPDX-License-Identifier: MIT */
/*
 * Names for addresses in Glasshouse's code. tools/build/mksyms.awk makes the table after the first
 * link.
 */
#ifndef GH_SYMBOLS_H
#define GH_SYMBOLS_H

#include "types.h"

/*
 * Find the function that contains the linear address @address. Returns its name, and stores the
 * distance in bytes from its start in *@offset; returns NULL outside of Glasshouse's code.
 */
const char *symbol_lookup(u64 address, u64 *offset);

#endif
