/* SPDX-License-Identifier: MIT */
/*
 * The monitor's line editor, by the bytes that a terminal sends and what is on its screen then; the
 * words and numbers of commands; docs/commands.md, which matches the table of commands. With
 * GH_DOCS=write in the environment, as set by `make docs`, the test writes that file.
 */
#include "tests/unit/stubs.h"

#include "monitor/commands.h"
#include "monitor/line.h"

/* ---- A terminal of one row: what is on it, and where the cursor is ---- */

static char screen[512];
static size_t cursor;
static unsigned rows;

static void put(char c)
{
	assert_true(cursor + 1 < sizeof(screen));
	screen[cursor++] = c;
}

static void show(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n') {
			memset(screen, 0, sizeof(screen));
			cursor = 0;
			rows++;
		} else if (s[i] == '\b') {
			assert_true(cursor > 0);
			cursor--;
		} else if (s[i] == '\x1b') {
			assert_true(n - i >= 3 && s[i + 1] == '[' && s[i + 2] == 'K');
			memset(screen + cursor, 0, sizeof(screen) - cursor);
			i += 2;
		} else {
			put(s[i]);
		}
	}
}

static const char *word(const char *text, size_t at, unsigned i)
{
	static const char *const words[] = {"help", "regs", "reset", "resume", "x", NULL};
	static const char *const pages[] = {"next", "new", NULL};

	if (!at)
		return words[i];
	return !strncmp(text, "help ", at) ? pages[i] : NULL;
}

static struct line line;

static void begin(void)
{
	line = (struct line){.prompt = "> ", .show = show, .complete = word};
	memset(screen, 0, sizeof(screen));
	cursor = rows = 0;
	line_begin(&line);
}

/* Type @keys; returns the number of lines that they complete. */
static unsigned type(const char *keys)
{
	unsigned lines = 0;

	for (; *keys; keys++)
		if (line_input(&line, *keys))
			lines++;
	return lines;
}

/* The screen shows the prompt and @text, the line is @text, and the cursor is before @rest. */
static void shows(const char *text, const char *rest)
{
	assert_string_equal(line.text, text);
	assert_int_equal(line.length, strlen(text));
	assert_memory_equal(screen, "> ", 2);
	assert_string_equal(screen + 2, text);
	assert_int_equal(cursor, 2 + strlen(text) - strlen(rest));
	assert_string_equal(line.text + line.cursor, rest);
}

static void test_editing(void **state)
{
	(void)state;
	begin();
	type("abc");
	shows("abc", "");
	type("\b\x7f");
	shows("a", "");
	type("\b\b\b");
	shows("", "");
	type("help\x1b[D\x1bOD"
	     "x");
	shows("hexlp", "lp");
	type("\b");
	shows("help", "lp");
	type("\x1b[C\x1b[C\x1b[C!");
	shows("help!", "");
	type("\x01-\x05+\x01\x1b[D");
	shows("-help!+", "-help!+");
	type("\x1b[C\x1b[C\x15");
	shows("elp!+", "elp!+");
	/* What means nothing: other control characters, other sequences, bytes above 126. */
	type("\x1b[3~\x02\x1b\x1b[Zz\xff\x80");
	shows("zelp!+", "elp!+");
	type("\x1b[1;5C"); /* with a key held down */
	shows("zelp!+", "lp!+");
	assert_int_equal(rows, 0);
	type("\x03");
	shows("", "");
	assert_int_equal(rows, 1);
}

static void test_full(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 2 * LINE_SIZE; i++)
		assert_false(line_input(&line, 'a'));
	assert_int_equal(line.length, LINE_SIZE - 1);
	assert_int_equal(strlen(line.text), LINE_SIZE - 1);
	type("\x1b[Db");
	assert_int_equal(strlen(screen), 2 + LINE_SIZE - 1);
	assert_null(strchr(line.text, 'b'));
	assert_true(line.too_long);
	type("\b\x7f");
	assert_true(line.too_long);
	assert_int_equal(type("\r"), 1);
	assert_true(line.too_long);
	line_begin(&line);
	assert_false(line.too_long);
	type("\x1b[A"); /* it is not remembered */
	shows("", "");
	for (unsigned i = 0; i < LINE_SIZE; i++)
		type("a");
	assert_true(line.too_long);
	type("\x15");
	assert_false(line.too_long);
	shows("", "");
}

static void test_lines(void **state)
{
	(void)state;
	begin();
	assert_int_equal(type("one\r"), 1);
	assert_string_equal(line.text, "one");
	line_begin(&line);
	assert_int_equal(type("\n"), 0); /* of the same line end */
	assert_int_equal(type("\n"), 1);
	line_begin(&line);
	assert_int_equal(type("two\n"), 1);
	line_begin(&line);
	type("new\x1b[A");
	shows("two", "");
	type("\x1b[A");
	shows("one", "");
	type("\x1b[A"); /* the empty line is not remembered, and there is no older one */
	shows("one", "");
	type("\x1b[B");
	shows("two", "");
	type("\x1b[B\x1b[B");
	shows("", "");
	for (unsigned i = 0; i < LINE_HISTORY + 3; i++) {
		char text[] = {(char)('a' + i), '\r', '\0'};

		assert_int_equal(type(text), 1);
		line_begin(&line);
	}
	for (unsigned i = 0; i < 2 * LINE_HISTORY; i++)
		type("\x1b[A");
	shows("d", "");
}

static void test_completion(void **state)
{
	(void)state;
	begin();
	type("h\t");
	shows("help ", "");
	type("x\t");
	shows("help x", "");
	type("\bn\t");
	shows("help ne", "");
	type("w\t");
	shows("help new ", "");
	type("ne\t"); /* the words after it are unknown */
	shows("help new ne", "");
	type("\x15regs x\t");
	shows("regs x", "");
	assert_int_equal(rows, 0);
	type("\x15re\t");
	assert_int_equal(rows, 2); /* the list, and the line again */
	shows("re", "");
	type("s\t");
	shows("res", "");
	assert_int_equal(rows, 4);
	type("e\t");
	shows("reset ", "");
	type("\x15rex\t");
	shows("rex", "");
	type("\x1b[D\t");
	shows("rex", "x");
	type("\x15\x05\b\t");
	assert_int_equal(rows, 6);
	shows("", "");
	line.complete = NULL;
	type("h\t");
	shows("h", "");
}

static void test_words(void **state)
{
	char text[] = "  x -p  1f 3 4 ";
	char none[] = "   ", again[] = "x -j 1", many[] = "a b c d e f g h i j k l m n";
	struct arguments args;
	u64 value = 7;

	(void)state;
	split(text, &args);
	assert_string_equal(args.word[0], "x");
	assert_string_equal(args.word[1], "-p");
	assert_string_equal(args.word[2], "1f");
	assert_string_equal(args.word[3], "3");
	assert_string_equal(args.word[4], "4");
	assert_null(args.word[5]);
	split(none, &args);
	assert_null(args.word[0]);
	split(many, &args);
	assert_string_equal(args.word[COMMAND_WORDS - 1], "l");
	assert_null(args.word[COMMAND_WORDS]);

	split(again, &args);
	assert_false(take_word(&args, "-p"));
	assert_true(take_word(&args, "-j"));
	assert_string_equal(args.word[1], "1");
	assert_null(args.word[2]);
	assert_false(take_word(&args, "-j"));

	assert_true(number_of("ffffFFFFffffFFFF", 16, &value));
	assert_int_equal(value, ~0ull);
	assert_true(number_of("0x1F", 10, &value));
	assert_int_equal(value, 31);
	assert_true(number_of("18446744073709551615", 10, &value));
	assert_int_equal(value, ~0ull);
	assert_false(number_of("18446744073709551616", 10, &value));
	assert_false(number_of("10000000000000000", 16, &value));
	assert_false(number_of("", 16, &value));
	assert_false(number_of("0x", 16, &value));
	assert_false(number_of("1f", 10, &value));
	assert_false(number_of("1g", 16, &value));
	assert_false(number_of("-1", 10, &value));
	assert_false(number_of(NULL, 10, &value));
	assert_int_equal(value, ~0ull);
}

static void test_why_no_number(void **state)
{
	u64 value = 5;

	(void)state;
	assert_string_equal(parse_number("ADDR", NULL, 16, 7, &value),
			    "ADDR is missing; help NAME shows an example");
	assert_string_equal(parse_number("ADDR", "8", 16, 7, &value), "ADDR is at most 7");
	assert_string_equal(parse_number("N", "20", 10, 16, &value), "N is at most 16");
	assert_string_equal(parse_number("N", "f", 10, 16, &value),
			    "N is no decimal number; help NAME shows an example");
	assert_int_equal(value, 5);
	assert_null(parse_number("N", "16", 10, 16, &value));
	assert_int_equal(value, 16);
}

/* ---- docs/commands.md ---- */

static char docs[16 << 10];
static size_t length;

static void add(const char *fmt, ...) __printf(1, 2);
static void add(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	length += (size_t)vsnprintf(docs + length, sizeof(docs) - length, fmt, args);
	va_end(args);
	assert_true(length < sizeof(docs));
}

static void add_same(const char *words)
{
	if (words)
		add(" `%s` |", words);
	else
		add(" |");
}

/* A bar would end the table's cell. */
static void add_arguments(const char *takes)
{
	for (; *takes; takes++)
		add("%s%c", *takes == '|' ? "\\" : "", *takes);
}

static void render(void)
{
	static const struct {
		const char *name, *takes, *help, *example;
		unsigned most;
		const char *words, *gdb, *bochs, *qemu;
	} table[] = {
#define COMMAND(id, arguments, text, shown, ...) \
	{.name = #id, .takes = arguments, .help = text, .example = shown, __VA_ARGS__},
#include "monitor/commands.def"
#undef COMMAND
	};

	add("<!-- SPDX-License-Identifier: MIT -->\n"
	    "<!-- Made by `make docs` from the table monitor/commands.def. -->\n"
	    "# Commands of the monitor\n\n"
	    "With the option `monitor=com2` Glasshouse answers these on COM2, with `monitor=com1` "
	    "on COM1, which the guest keeps: "
	    "[how to use it](debugging.md#the-monitor).\n"
	    "Each answer ends with a line `ok`, or `err:` and why. ADDR is hexadecimal, other "
	    "numbers are decimal;\n"
	    "VCPU is a vCPU's number, 0 if it is left out. Each command takes -j as its first "
	    "argument, "
	    "for an answer in JSON.\n"
	    "The last columns name what does the "
	    "same "
	    "in other debuggers.\n\n"
	    "| command | what it does | example | gdb | Bochs' debugger | QEMU's monitor |\n"
	    "|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		add("| `%s%s", table[i].name, *table[i].takes ? " " : "");
		add_arguments(table[i].takes);
		add("` | %s | `%s` |", table[i].help, table[i].example);
		add_same(table[i].gdb);
		add_same(table[i].bochs);
		add_same(table[i].qemu);
		add("\n");
	}
}

static void test_docs(void **state)
{
	static char there[sizeof(docs)];
	FILE *file;

	(void)state;
	render();
	if (getenv("GH_DOCS")) {
		file = fopen(GH_ROOT "/docs/commands.md", "w");
		assert_non_null(file);
		fputs(docs, file);
		fclose(file);
		return;
	}
	file = fopen(GH_ROOT "/docs/commands.md", "r");
	assert_non_null(file);
	there[fread(there, 1, sizeof(there) - 1, file)] = '\0';
	fclose(file);
	if (strcmp(there, docs))
		fail_msg("docs/commands.md does not match monitor/commands.def: run `make docs`");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_editing), cmocka_unit_test(test_full),
		cmocka_unit_test(test_lines),   cmocka_unit_test(test_completion),
		cmocka_unit_test(test_words),   cmocka_unit_test(test_why_no_number),
		cmocka_unit_test(test_docs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
