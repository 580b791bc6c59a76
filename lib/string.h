/* SPDX-License-Identifier: MIT */
/*
 * The few string functions that Glasshouse needs. They behave as in ISO C, strlcpy() as in BSD.
 */
#ifndef GH_STRING_H
#define GH_STRING_H

#include "types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/*
 * Copy the string @src to @dst of @size bytes; terminates it unless @size is 0.
 * Returns strlen(@src): a value >= @size means that the copy was cut.
 */
size_t strlcpy(char *dst, const char *src, size_t size);

/* Does @name have @part in it? Upper and lower case are the same. */
bool has_part(const char *name, const char *part);

/* The character @c as a small letter if it is one of A to Z; otherwise unchanged. */
static inline u32 to_lower(u32 c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

#endif
