/* SPDX-License-Identifier: MIT */
/*
 * What every unit test shares: cmocka with its prerequisites, a printk whose text can be looked at,
 * random numbers that repeat, and memory whose end the address sanitizer watches. Include this
 * first.
 */
#ifndef GH_TEST_STUBS_H
#define GH_TEST_STUBS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "types.h"
#include "bits.h"

/*
 * Everything that printk printed since log_clear(), the newest 64 KiB of it. Shown on stderr too
 * when GH_TEST_LOG is set in the environment.
 */
const char *log_text(void);
void log_clear(void);

/* True when the log holds @text. */
bool log_has(const char *text);

/* The next number of a fixed sequence (xorshift64*). Start @state with any value but 0. */
u64 rand_next(u64 *state);

/* A number from 0 to @n - 1; @n is not 0. */
u64 rand_below(u64 *state, u64 n);

/* A copy of @n bytes in heap memory of exactly that size: one byte read beyond it is an error. */
void *exact_copy(const void *src, size_t n);

/* panic() ends the test by mock_assert(): use expect_assert_failure(). */

#endif
