/* SPDX-License-Identifier: MIT */
/*
 * The monitor's terminal: what a person types meanwhile, Ctrl-C, the pager.
 */
#include "tests/unit/stubs.h"

#include "monitor/terminal.h"

static const char *typed; /* what comes next; after each piece that is sent, one byte more */
static size_t ready, sent;
static char screen[4096];

static int read_byte(void)
{
	if (!ready || !*typed)
		return -1;
	ready--;
	return (u8)*typed++;
}

static void write_bytes(const char *s, size_t n)
{
	assert_in_range(n, 1, TERMINAL_PIECE);
	assert_true(sent + n < sizeof(screen));
	memcpy(screen + sent, s, n);
	sent += n;
	screen[sent] = '\0';
	ready++;
}

static struct terminal terminal;

/* A terminal where @keys are typed, @at_once of them before anything is sent. */
static void begin(const char *keys, size_t at_once)
{
	terminal = (struct terminal){.read = read_byte, .write = write_bytes};
	typed = keys;
	ready = at_once;
	sent = 0;
	screen[0] = '\0';
}

static void print(const char *text)
{
	terminal_write(&terminal, text, strlen(text));
}

static void takes(const char *keys)
{
	for (; *keys; keys++)
		assert_int_equal(terminal_read(&terminal), *keys);
	assert_int_equal(terminal_read(&terminal), -1);
}

static void test_keeps_input(void **state)
{
	(void)state;
	begin("abcdef", 2);
	terminal_begin(&terminal);
	print("1\n2\n3\n");
	assert_string_equal(screen, "1\n2\n3\n");
	assert_false(terminal_end(&terminal));
	takes("abcde");
	assert_false(terminal.lost);
}

static void test_full(void **state)
{
	static char keys[TERMINAL_INPUT + 2];

	(void)state;
	memset(keys, 'k', TERMINAL_INPUT + 1);
	begin(keys, SIZE_MAX);
	terminal_begin(&terminal);
	for (unsigned i = 0; i < TERMINAL_INPUT; i += 64)
		assert_false(terminal_stopped(&terminal));
	assert_false(terminal.lost);
	assert_false(terminal_stopped(&terminal));
	assert_true(terminal.lost);
	keys[TERMINAL_INPUT] = '\0';
	takes(keys);
}

static void test_stop(void **state)
{
	(void)state;
	/* Ctrl-C is no more than a key while no command runs. */
	begin("x\3", 2);
	print("a");
	takes("x\3");

	/* What has been typed before it is dropped, and so is what the command prints after it. */
	begin("x\3y", 1);
	terminal_begin(&terminal);
	print("12345678");
	assert_false(terminal.stopped);
	print("ABCDEFGHabcdefgh");
	assert_true(terminal_stopped(&terminal));
	assert_string_equal(screen, "12345678");
	assert_true(terminal_end(&terminal));
	print("ok\n");
	assert_string_equal(screen, "12345678\nok\n");
	takes("y");

	/* A command that prints nothing sees it, too. */
	begin("\3", 1);
	terminal_begin(&terminal);
	assert_true(terminal_stopped(&terminal));
	assert_true(terminal_end(&terminal));
	terminal_begin(&terminal);
	assert_false(terminal_stopped(&terminal));
}

#define MORE "--more--\r\x1b[K"

static void page(const char *keys, const char *shows, bool stops)
{
	begin(keys, SIZE_MAX / 2);
	terminal.page = 3;
	print("1\n2\n3\n4\n"); /* no command's */
	sent = 0;
	terminal_begin(&terminal);
	print("a\nb\nc\nd\ne\nf\ng\n");
	assert_int_equal(terminal_end(&terminal), stops);
	assert_string_equal(screen, shows);
}

static void test_pager(void **state)
{
	(void)state;
	page("   ", "a\nb\n" MORE "c\nd\n" MORE "e\nf\n" MORE "g\n", false);
	page("\r\n  ", "a\nb\n" MORE "c\n" MORE "d\n" MORE "e\nf\n" MORE "g\n", false);
	page("?q", "a\nb\n" MORE, true);
	page(" \3", "a\nb\n" MORE "c\nd\n" MORE, true);

	/* Lines that are wider than the terminal are several. */
	begin("  ", SIZE_MAX / 2);
	terminal.page = 4;
	terminal.width = 10;
	terminal_begin(&terminal);
	print("0123456789\n01234567890\nab\n0123456789012345678901234567890\n");
	assert_false(terminal_end(&terminal));
	assert_string_equal(screen, "0123456789\n01234567890\n" MORE
				    "ab\n0123456789012345678901234567890\n");
	terminal.width = 0;
	/* An answer of less than a page does not wait. */
	begin("", 0);
	terminal.page = 3;
	terminal_begin(&terminal);
	print("a\nb\n");
	assert_false(terminal_end(&terminal));
	assert_string_equal(screen, "a\nb\n");
	/* Nor does one for a program; the next one waits again. */
	begin("q", SIZE_MAX / 2);
	terminal.page = 3;
	terminal.for_program = true;
	terminal_begin(&terminal);
	print("a\nb\nc\nd\n");
	assert_false(terminal_end(&terminal));
	assert_string_equal(screen, "a\nb\nc\nd\n");
	terminal_begin(&terminal);
	print("a\nb\nc\n");
	assert_true(terminal_end(&terminal));
}

static bool nobody(void)
{
	return sent > 10;
}

/* When nobody is there any more to press a key, the pager does not wait for one. */
static void test_left(void **state)
{
	(void)state;
	begin("", 0);
	terminal.page = 3;
	terminal.is_left = nobody;
	terminal_begin(&terminal);
	print("a\nb\nc\nd\ne\nf\ng\n");
	assert_false(terminal_end(&terminal));
	assert_string_equal(screen, "a\nb\n" MORE "c\nd\ne\nf\ng\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_input), cmocka_unit_test(test_full),
		cmocka_unit_test(test_stop),        cmocka_unit_test(test_pager),
		cmocka_unit_test(test_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
