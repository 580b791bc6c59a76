/* SPDX-License-Identifier: MIT */
/*
 * What every fuzz target uses: a printk() without output, and take() to consume the input.
 */
#ifndef GH_FUZZ_H
#define GH_FUZZ_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void printk(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	(void)level;
	/* Format the text, so that the sanitizers check the arguments. */
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
}

void panic(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

/* Copy the next @n bytes of the input to @to, zeros after its end, and advance @data and @size. */
static inline void take(const uint8_t **data, size_t *size, void *to, size_t n)
{
	size_t have = MIN(n, *size);

	memset(to, 0, n);
	memcpy(to, *data, have);
	*data += have;
	*size -= have;
}

#endif
