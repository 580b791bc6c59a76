/* SPDX-License-Identifier: MIT */
/*
 * What every unit test uses: cmocka and the headers that it needs, a printk() that records its
 * text, reproducible random numbers, and buffers beyond whose end the address sanitizer reports
 * accesses. Include this first.
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
 * What printk() printed since log_clear(): at most 64 KiB, the newest part. With GH_TEST_LOG set in
 * the environment, it goes to stderr, too.
 */
const char *log_text(void);
void log_clear(void);

/* True if the log contains @text. */
bool log_has(const char *text);

/* The next pseudo-random number (xorshift64*). The caller sets @state to any value but 0 first. */
u64 rand_next(u64 *state);

/* A pseudo-random number from 0 to @n - 1; @n is not 0. */
u64 rand_below(u64 *state, u64 n);

/* A copy of @n bytes in a heap block of exactly that size, so that the sanitizer reports any access
 * beyond it. The caller frees it. */
void *exact_copy(const void *src, size_t n);

/* panic() calls mock_assert(), so a test can use expect_assert_failure(). */

#endif
