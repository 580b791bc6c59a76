/* SPDX-License-Identifier: MIT */
/*
 * Numbers in text.
 */
#include "lib/number.h"

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c = (char)(c | 0x20); /* to lower case */
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : ~0u;
}

/* The left shift that the suffix K, M or G stands for; 0 for anything else. */
static unsigned suffix_shift(char c)
{
	c = (char)(c | 0x20);
	return c == 'k' ? 10 : c == 'm' ? 20 : c == 'g' ? 30 : 0;
}

bool parse_uint(const char *s, u64 *out)
{
	unsigned base = s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10, shift;
	const char *digits = base == 16 ? s + 2 : s;
	u64 value = 0;

	for (s = digits; digit_of(*s) < base; s++) {
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit_of(*s), &value))
			return false;
	}
	shift = suffix_shift(*s);
	if (s == digits || s[shift ? 1 : 0] || value > ~0ull >> shift)
		return false;
	*out = value << shift;
	return true;
}
