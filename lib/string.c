/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions. GCC emits calls to the first four, so they must have these names.
 * They use the string instructions, the fastest copy that needs no vector registers.
 */
#include "lib/string.h"

/* Eight bytes at a time, then the rest: to an emulator each iteration costs one tick. */
void *memcpy(void *dst, const void *src, size_t n)
{
	void *to = dst;
	size_t words = n / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
	n %= 8;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *to = (u8 *)dst + n - 1;
	const u8 *from = (const u8 *)src + n - 1;
	size_t words = n / 8;

	/* Copy upwards unless that would overwrite source bytes that are still to be read. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	n %= 8;
	__asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory", "cc");
	to -= 7;
	from -= 7;
	__asm__ volatile("std; rep movsq; cld"
			 : "+D"(to), "+S"(from), "+c"(words)
			 :
			 : "memory", "cc");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *to = dst;
	size_t words = n / 8;

	__asm__ volatile("rep stosq"
			 : "+D"(to), "+c"(words)
			 : "a"((u8)c * 0x0101010101010101ull)
			 : "memory");
	n %= 8;
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

size_t strlen(const char *s)
{
	const char *end = s;

	/* The empty asm keeps GCC from replacing this loop by a call of strlen(). */
	while (*end) {
		end++;
		__asm__ volatile("");
	}
	return (size_t)(end - s);
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (!*a)
			break;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (!*s)
			return NULL;
	}
	return (char *)s;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t kept = n < size ? n : size - 1;

		memcpy(dst, src, kept);
		dst[kept] = '\0';
	}
	return n;
}

bool has_part(const char *name, const char *part)
{
	for (; *name; name++) {
		size_t n = 0;

		while (part[n] && (name[n] | 0x20) == (part[n] | 0x20))
			n++;
		if (!part[n])
			return true;
	}
	return false;
}
