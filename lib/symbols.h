/* SPDX-License-Identifier: MIT */
/*
 * From an address in our code to the name of its function. The table is made after the first link
 * (tools/build/mksyms.awk).
 */
#ifndef GH_SYMBOLS_H
#define GH_SYMBOLS_H

#include "types.h"

/* The function that holds @address, with the distance from its start in *@offset; NULL outside of
 * our code. */
const char *symbol_lookup(u64 address, u64 *offset);

#endif
