/* SPDX-License-Identifier: MIT */
/*
 * lib/print.c compared with libc's printf: every conversion with every flag, width and precision.
 */
#include "tests/unit/stubs.h"

static int (*volatile libc_snprintf)(char *, size_t, const char *, ...) = snprintf;

#include "tests/unit/rename.h"
#include "lib/print.h"
#include "lib/string.h"

/* The tests make formats at run time, and wrong ones: no warnings about them. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
static int (*volatile tested_snprintf)(char *, size_t, const char *, ...) = snprintf;

#define SAME(...)                                                      \
	do {                                                           \
		char a_[256], b_[256];                                 \
		int x_ = tested_snprintf(a_, sizeof(a_), __VA_ARGS__); \
		int y_ = libc_snprintf(b_, sizeof(b_), __VA_ARGS__);   \
		assert_string_equal(a_, b_);                           \
		assert_int_equal(x_, y_);                              \
	} while (0)

static const u64 values[] = {0,
			     1,
			     9,
			     10,
			     42,
			     127,
			     128,
			     255,
			     256,
			     32767,
			     32768,
			     65535,
			     0x7fffffff,
			     0x80000000,
			     0xffffffff,
			     0x100000000,
			     0xfee00000123,
			     (u64)INT64_MAX,
			     1ull << 63,
			     UINT64_MAX,
			     UINT64_MAX - 41};

static const char *const widths[] = {"", "1", "8", "20", "30"};
static const char *const precisions[] = {"", ".", ".0", ".1", ".5", ".19"};

static void integers(const char *flags, const char *width, const char *precision, char conv)
{
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z"};
	char fmt[64];

	for (unsigned l = 0; l < ARRAY_SIZE(lengths); l++) {
		libc_snprintf(fmt, sizeof(fmt), "<%%%s%s%s%s%c>", flags, width, precision,
			      lengths[l], conv);
		for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
			if (l < 3)
				SAME(fmt, (unsigned)values[v]);
			else
				SAME(fmt, values[v]);
		}
	}
}

static void test_integers(void **state)
{
	static const char flag_chars[] = "-0+# ";
	static const char convs[] = "diuxX";
	char flags[8];

	(void)state;
	for (unsigned set = 0; set < 32; set++) {
		size_t n = 0;

		for (unsigned f = 0; f < 5; f++) {
			if (set & (1u << f))
				flags[n++] = flag_chars[f];
		}
		flags[n] = '\0';
		for (unsigned w = 0; w < ARRAY_SIZE(widths); w++) {
			for (unsigned p = 0; p < ARRAY_SIZE(precisions); p++) {
				for (unsigned c = 0; c < 5; c++)
					integers(flags, widths[w], precisions[p], convs[c]);
			}
		}
	}
}

static void test_text(void **state)
{
	char buf[64], *signature;

	(void)state;
	SAME("plain");
	SAME("100%% of %s", "it");
	SAME("<%s|%10s|%-10s|%.3s|%10.3s|%-10.2s|%.0s>", "glass", "glass", "glass", "glass",
	     "glass", "glass", "glass");
	SAME("<%c|%5c|%-5c>", 'a', 'b', 'c');
	SAME("<%*d|%-*d|%*d|%.*d|%.*s|%.*d>", 7, 42, 7, 42, -7, 42, 5, 42, 2, "glass", -1, 42);
	SAME("%p %20p %-20p|", (void *)0xfee00000, (void *)0x1234, (void *)0x1234);
	SAME("%s %d %s", "a", -1, "b");
	tested_snprintf(buf, sizeof(buf), "%s", (char *)NULL);
	assert_string_equal(buf, "(null)");
	/* A string with a precision needs no terminator. */
	signature = exact_copy("FACP", 4);
	tested_snprintf(buf, sizeof(buf), "%.4s", signature);
	assert_string_equal(buf, "FACP");
	free(signature);
}

static void test_size(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(tested_snprintf(NULL, 0, "%d", 12345), 5);
	for (size_t size = 1; size < sizeof(buf); size++) {
		char *small = malloc(size), expect[16];

		assert_int_equal(tested_snprintf(small, size, "%s", "0123456789"), 10);
		libc_snprintf(expect, size, "%s", "0123456789");
		assert_string_equal(small, expect);
		free(small);
	}
}

/* A broken format ends the text or is printed; nothing is read beyond its end. */
static void test_broken_formats(void **state)
{
	static const char *const formats[] = {"%",   "%-",  "%5", "%.",    "%.5", "%l",
					      "%ll", "%hh", "%z", "%-08.", "%#",  "x%"};
	char buf[32];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		char *fmt = exact_copy(formats[i], strlen(formats[i]) + 1);

		tested_snprintf(buf, sizeof(buf), fmt);
		free(fmt);
	}
	assert_string_equal(buf, "x");
	tested_snprintf(buf, sizeof(buf), "%99999999999d", 1);
	assert_int_equal(strlen(buf), sizeof(buf) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_broken_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
