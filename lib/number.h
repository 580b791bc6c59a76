/* SPDX-License-Identifier: MIT */
/*
 * Numbers in text.
 */
#ifndef GH_NUMBER_H
#define GH_NUMBER_H

#include "bits.h"

/* Parse all of @s as a number: decimal or 0x..., then K, M, G (powers of 1,024) or nothing. Returns
 * false, without a change of @out, if it is not one, or exceeds 64 bits. */
bool parse_uint(const char *s, u64 *out);

#endif
