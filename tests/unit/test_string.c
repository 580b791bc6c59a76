/* SPDX-License-Identifier: MIT */
/*
 * lib/string.c compared with libc, byte by byte.
 */
#include "tests/unit/stubs.h"

static void *(*const libc_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*const libc_memmove)(void *, const void *, size_t) = memmove;
static int (*const libc_memcmp)(const void *, const void *, size_t) = memcmp;
static int (*const libc_strncmp)(const char *, const char *, size_t) = strncmp;

#include "tests/unit/rename.h"
/* Declares the functions under test with the names that rename.h gives them. */
#include "lib/string.h"

static void fill(u8 *p, size_t n, u64 *seed, unsigned values)
{
	while (n--)
		*p++ = (u8)rand_below(seed, values);
}

static void test_memory(void **state)
{
	u8 got[96], expected[96], other[96];
	u64 seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t from = rand_below(&seed, 48), to = rand_below(&seed, 48);
		size_t n = rand_below(&seed, 49);

		fill(got, sizeof(got), &seed, 256);
		libc_memcpy(expected, got, sizeof(got));
		assert_ptr_equal(memmove(got + to, got + from, n), got + to);
		libc_memmove(expected + to, expected + from, n);
		assert_memory_equal(got, expected, sizeof(got));

		fill(other, sizeof(other), &seed, 256);
		assert_ptr_equal(memcpy(got + to, other + from, n), got + to);
		libc_memmove(expected + to, other + from, n);
		assert_memory_equal(got, expected, sizeof(got));

		assert_ptr_equal(memset(got + to, (int)(n * 7 + 0x300), n), got + to);
		for (size_t k = 0; k < n; k++)
			expected[to + k] = (u8)(n * 7);
		assert_memory_equal(got, expected, sizeof(got));
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void test_compare(void **state)
{
	u8 a[9], b[9];
	u64 seed = 2;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		size_t n = rand_below(&seed, sizeof(a));
		u8 high = (u8)rand_below(&seed, 2) * 0x80;

		fill(a, sizeof(a), &seed, 3);
		fill(b, sizeof(b), &seed, 3);
		a[3] |= high; /* bytes compare as unsigned */
		a[8] = b[8] = 0;
		assert_int_equal(sign(memcmp(a, b, n)), sign(libc_memcmp(a, b, n)));
		assert_int_equal(sign(strncmp((char *)a, (char *)b, n)),
				 sign(libc_strncmp((char *)a, (char *)b, n)));
		assert_int_equal(sign(strcmp((char *)a, (char *)b)),
				 sign(libc_strncmp((char *)a, (char *)b, sizeof(a))));
	}
}

static void test_strings(void **state)
{
	const char *text = "glasshouse";
	char buf[8], *exact;

	(void)state;
	assert_int_equal(strlen(""), 0);
	assert_int_equal(strlen(text), 10);
	assert_ptr_equal(strchr(text, 's'), text + 3);
	assert_ptr_equal(strchr(text, 0), text + 10);
	assert_null(strchr(text, 'z'));

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(strlcpy(buf, text, 0), 10);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(strlcpy(buf, text, sizeof(buf)), 10);
	assert_string_equal(buf, "glassho");
	assert_int_equal(strlcpy(buf, "abc", sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(strlcpy(buf, "1234567", sizeof(buf)), 7);
	assert_string_equal(buf, "1234567");
	exact = malloc(8);
	assert_int_equal(strlcpy(exact, "12345678", 8), 8);
	assert_string_equal(exact, "1234567");
	free(exact);
	assert_int_equal(strlcpy(buf, "abc", 1), 3);
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
