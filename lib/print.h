/* SPDX-License-Identifier: MIT */
/*
 * Formatted text. Understood: %d %i %u %x %X %c %s %p %%, the lengths hh h l ll z, the flags
 * '-' '0' '+' '#' ' ', width and precision (numbers or '*').
 */
#ifndef GH_PRINT_H
#define GH_PRINT_H

#include <stdarg.h>
#include "types.h"
#include "bits.h"

/*
 * As in ISO C: writes at most @size bytes, the terminator included; returns the length that the
 * whole text has, so a result >= @size means that it was cut.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
