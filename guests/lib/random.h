/* SPDX-License-Identifier: MIT */
/*
 * Random numbers that repeat.
 */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include "types.h"

/* The next number after *@state, which must not be 0, and becomes it: Marsaglia's xorshift64. */
static inline u64 xorshift64(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
