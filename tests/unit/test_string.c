/* SPDX-License-Identifier: MIT */
/*
 * lib/string.c against libc, byte by byte.
 */
#include "tests/unit/stubs.h"

static void *(*const libc_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*const libc_memmove)(void *, const void *, size_t) = memmove;
static int (*const libc_memcmp)(const void *, const void *, size_t) = memcmp;
static int (*const libc_strncmp)(const char *, const char *, size_t) = strncmp;

#include "tests/unit/rename.h"
/* Declared again here, as lib/string.h declares them, under the names that rename.h gives them. */
#include "lib/string.h"

static void fill(u8 *p, size_t n, u64 *seed, unsigned values)
{
	while (n--)
		*p++ = (u8)rand_below(seed, values);
}

static void test_memory(void **state)
{
	u8 ours[96], theirs[96], other[96];
	u64 seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t from = rand_below(&seed, 48), to = rand_below(&seed, 48);
		size_t n = rand_below(&seed, 49);

		fill(ours, sizeof(ours), &seed, 256);
		libc_memcpy(theirs, ours, sizeof(ours));
		assert_ptr_equal(memmove(ours + to, ours + from, n), ours + to);
		libc_memmove(theirs + to, theirs + from, n);
		assert_memory_equal(ours, theirs, sizeof(ours));

		fill(other, sizeof(other), &seed, 256);
		assert_ptr_equal(memcpy(ours + to, other + from, n), ours + to);
		libc_memmove(theirs + to, other + from, n);
		assert_memory_equal(ours, theirs, sizeof(ours));

		assert_ptr_equal(memset(ours + to, (int)(n * 7 + 0x300), n), ours + to);
		for (size_t k = 0; k < n; k++)
			theirs[to + k] = (u8)(n * 7);
		assert_memory_equal(ours, theirs, sizeof(ours));
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
