/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's own memory. See own.h.
 */
#include "monitor/gdb/own.h"
#include "bits.h"
#include "lib/pages.h"
#include "lib/string.h"

extern char __image_start[], __image_end[];

size_t own_read(u64 address, void *bytes, size_t n)
{
	u64 start = (u64)__image_start, end = (u64)__image_end;

	if (address - start >= end - start) {
		size_t size;

		start = (u64)pages_range(&size);
		end = start + size;
		if (address - start >= size)
			return 0;
	}
	n = MIN(n, end - address);
	memcpy(bytes, (const void *)address, n);
	return n;
}
