/* SPDX-License-Identifier: MIT */
/*
 * The option parser: right words take effect; for each wrong one, a warning names it and what would
 * be right.
 */
#include "tests/unit/stubs.h"

#include "lib/options.h"

static struct values {
	bool strict;
	u64 cpus;
	unsigned icept;
	char console[16];
} v;

static const char *const icepts[] = {"none", "pf", "all", NULL};

static const struct option table[] = {
	{.name = "strict",
	 .kind = OPTION_FLAG,
	 .offset = offsetof(struct values, strict),
	 .help = "stop at the unknown"},
	{.name = "cpus",
	 .kind = OPTION_UINT,
	 .offset = offsetof(struct values, cpus),
	 .min = 1,
	 .max = GIB(4),
	 .help = "how many to use"},
	{.name = "icept",
	 .kind = OPTION_CHOICE,
	 .offset = offsetof(struct values, icept),
	 .choices = icepts,
	 .help = "what to intercept"},
	{.name = "console",
	 .kind = OPTION_STRING,
	 .offset = offsetof(struct values, console),
	 .size = sizeof(v.console),
	 .help = "where to print"},
};

static unsigned parse(const char *cmdline)
{
	char *copy = exact_copy(cmdline, strlen(cmdline) + 1);
	unsigned bad;

	memset(&v, 0, sizeof(v));
	v.cpus = 7;
	log_clear();
	bad = options_parse(table, ARRAY_SIZE(table), &v, copy);
	free(copy);
	return bad;
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse(" \t\n "), 0);
	assert_int_equal(v.cpus, 7);
	assert_int_equal(parse("strict cpus=12 icept=pf console=com1"), 0);
	assert_true(v.strict);
	assert_int_equal(v.cpus, 12);
	assert_int_equal(v.icept, 1);
	assert_string_equal(v.console, "com1");
	assert_int_equal(parse("strict=yes strict=off  icept=all\ticept=none"), 0);
	assert_false(v.strict);
	assert_int_equal(v.icept, 0);
	assert_int_equal(parse("cpus=0x1F"), 0);
	assert_int_equal(v.cpus, 31);
	assert_int_equal(parse("cpus=4G"), 0);
	assert_int_equal(v.cpus, GIB(4));
	assert_int_equal(parse("cpus=0x10k"), 0);
	assert_int_equal(v.cpus, 0x4000);
	assert_string_equal(log_text(), "");
}

static void test_quotes(void **state)
{
	(void)state;
	assert_int_equal(parse("console=\"a b\" strict"), 0);
	assert_string_equal(v.console, "a b");
	assert_true(v.strict);
	assert_int_equal(parse("\"console=a b\""), 0);
	assert_string_equal(v.console, "a b");
	assert_int_equal(parse("console=a\\ b\\\"\\\\"), 0);
	assert_string_equal(v.console, "a b\"\\");
	assert_int_equal(parse("console=\"a b"), 0); /* never closed: to the end */
	assert_string_equal(v.console, "a b");
	assert_int_equal(parse("console=\"\" \"\""), 0);
	assert_string_equal(v.console, "");
	assert_int_equal(parse("console=x\\"), 0);
	assert_string_equal(v.console, "x\\");
	assert_int_equal(parse("console=a=b"), 0);
	assert_string_equal(v.console, "a=b");
}

static void refused(const char *cmdline, const char *name, const char *right)
{
	assert_int_equal(parse(cmdline), 1);
	assert_true(log_has(name));
	assert_true(log_has(right));
	assert_int_equal(v.cpus, 7);
	assert_false(v.strict);
}

static void test_bad(void **state)
{
	char text[600];

	(void)state;
	refused("icpet=pf", "\"icpet\"", "did you mean \"icept\" (what to intercept)?");
	refused("srtict", "\"srtict\"", "\"strict\"");
	refused("CPUS=3", "\"CPUS\"", "\"cpus\"");
	refused("consol=com1", "\"consol\"", "\"console\"");
	refused("pcbpt=pf", "\"pcbpt\"", "\"icept\"");
	refused("iorict", "\"iorict\"", "\"strict\"");
	refused("=3", "option \"\"", "unknown; the options are strict, cpus, icept, console\n");
	refused("foo", "option \"foo\"", "the options are strict");
	refused("com1", "option \"com1\"", "the options are strict");
	refused("stop", "option \"stop\"", "the options are strict");
	refused("icept=pg", "\"pg\" is not allowed", "none, pf or all");
	refused("icept", "it needs a value", "none, pf or all");
	refused("icept=", "\"\" is not allowed", "none, pf or all");
	refused("strict=maybe", "\"maybe\"", "off, on, no, yes, 0 or 1");
	refused("cpus", "it needs a value", "a number from 1 to 4294967296");
	refused("cpus=", "\"\"", "a number");
	refused("cpus=0", "\"0\"", "a number");
	refused("cpus=4294967297", "\"4294967297\"", "a number");
	refused("cpus=18446744073709551617", "\"18446744073709551617\"", "a number");
	refused("cpus=0x10000000000000001", "0x1", "a number");
	refused("cpus=99999999999G", "99999999999G", "a number");
	refused("cpus=12x", "\"12x\"", "a number");
	refused("cpus=0x", "\"0x\"", "a number");
	refused("cpus=K", "\"K\"", "a number");
	refused("cpus=1kk", "\"1kk\"", "a number");
	refused("cpus=-1", "\"-1\"", "a number");
	refused("console=0123456789abcdef", "0123456789abcdef", "at most 15 characters");
	refused("console", "it needs a value", "a text");

	memset(text, 'x', sizeof(text));
	text[599] = '\0';
	refused(text, "599 characters long", "at most 255");
	text[255] = '\0';
	refused(text, "unknown", "the options are strict");

	/* The right words take effect, although others are wrong. */
	assert_int_equal(parse("wrong cpus=9 icept=wrong strict console=1234567890123456"), 3);
	assert_int_equal(v.cpus, 9);
	assert_true(v.strict);
}

static void test_random(void **state)
{
	static const char *const pieces[] = {
		"strict", "cpus", "icept", "console",  "=",  " ",       "\"",
		"\\",     "pf",   "0x",    "99",       "G",  "\t",      "xyzzy",
		"none",   ",",    "-",     "\x80\xff", "on", "\"a b\"", "=="};
	char text[1024];
	u64 seed = 9;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = 0;

		for (u64 k = rand_below(&seed, 40); k; k--)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
					      pieces[rand_below(&seed, ARRAY_SIZE(pieces))]);
		text[n] = '\0';
		parse(text);
		assert_true(v.cpus >= 1 && v.cpus <= GIB(4) && v.icept < 3);
		assert_non_null(memchr(v.console, 0, sizeof(v.console)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
