/* SPDX-License-Identifier: MIT */
/*
 * Formatted text. Supported: the conversions %d %i %u %x %X %c %s %p %%, the lengths hh h l ll z,
 * the flags '-' '0' '+' '#' ' ', width and precision (numbers or '*').
 */
#ifndef GH_PRINT_H
#define GH_PRINT_H

#include <stdarg.h>
#include "types.h"
#include "bits.h"

/*
 * As in ISO C: write the text to @buf, at most @size bytes including the terminator. Returns the
 * length of the whole text without the terminator: a value >= @size means that it was cut.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
