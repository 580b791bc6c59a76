/* SPDX-License-Identifier: MIT */
/*
 * The lines of a script: what each is, and where the next one begins.
 */
#include "tests/unit/stubs.h"

#include "monitor/script.h"

static struct script_line line;

/* Read @text as a whole; returns the number of its lines. @line is the last one. */
static unsigned read_all(const char *text)
{
	size_t size = strlen(text), at = 0;
	unsigned lines = 0;

	for (; at < size; lines++) {
		size_t next = script_read(text, size, at, &line);

		assert_in_range(next, at + 1, size);
		at = next;
	}
	return lines;
}

static void is(const char *text, enum script_kind kind, const char *rest)
{
	assert_int_equal(read_all(text), 1);
	assert_int_equal(line.kind, kind);
	if (rest)
		assert_string_equal(line.text, rest);
}

static void test_kinds(void **state)
{
	(void)state;
	is("\n", SCRIPT_NOTHING, NULL);
	is(" \t \r\n", SCRIPT_NOTHING, NULL);
	is("# regs", SCRIPT_NOTHING, NULL);
	is("  # regs\r\n", SCRIPT_NOTHING, NULL);
	is("regs 1", SCRIPT_COMMAND, "regs 1");
	is("\tregs  1 \r\n", SCRIPT_COMMAND, "regs  1");
	is("expect RIP ffff  # 1\n", SCRIPT_EXPECT, "RIP ffff  # 1");
	is("expect  wait 2s\n", SCRIPT_EXPECT, "wait 2s");
	is("expectation\n", SCRIPT_COMMAND, "expectation");
	is("expect", SCRIPT_COMMAND, "expect");
	is("a\x01\xff"
	   "b",
	   SCRIPT_COMMAND, "a  b");
}

static void test_at_exit(void **state)
{
	(void)state;
	is("at exit CPUID\n", SCRIPT_AT_EXIT, "CPUID");
	is("  at  exit  msr_read", SCRIPT_AT_EXIT, "msr_read");
	is("at exit", SCRIPT_COMMAND, "at exit");
	is("at exits x", SCRIPT_COMMAND, "at exits x");
	is("expect at exit x", SCRIPT_EXPECT, "at exit x");
}

static void waits(const char *text, u64 ms)
{
	is(text, SCRIPT_WAIT, NULL);
	assert_int_equal(line.ms, ms);
}

static void test_wait(void **state)
{
	(void)state;
	waits("wait 500ms", 500);
	waits("wait 2s\n", 2000);
	waits("wait 3600s", 3600000);
	waits("wait 3601s", 0);
	waits("wait 18446744073709551615s", 0);
	waits("wait 5", 0);
	waits("wait s", 0);
	waits("wait ms", 0);
	waits("wait 1 s", 0);
	waits("wait 0ms", 0);
	is("waits 1s", SCRIPT_COMMAND, "waits 1s");
}

static void test_lines(void **state)
{
	static char text[3 * SCRIPT_LINE];

	(void)state;
	assert_int_equal(read_all("regs\n\n# x\nls"), 4);
	assert_string_equal(line.text, "ls");
	assert_int_equal(read_all("regs\n  \n"), 2);
	assert_int_equal(read_all(""), 0);
	memset(text, 'x', sizeof(text) - 1);
	is(text, SCRIPT_COMMAND, NULL);
	assert_int_equal(strlen(line.text), SCRIPT_LINE - 1);
	assert_true(line.too_long);
	memset(text + SCRIPT_LINE - 1, ' ', SCRIPT_LINE);
	text[2 * SCRIPT_LINE - 1] = '\0';
	is(text, SCRIPT_COMMAND, NULL);
	assert_false(line.too_long);
	memset(text, 'x', 2 * SCRIPT_LINE);
	memcpy(text, "expect ", 7);
	is(text, SCRIPT_EXPECT, NULL);
	memcpy(text, "wait ", 5);
	waits(text, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_at_exit),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
