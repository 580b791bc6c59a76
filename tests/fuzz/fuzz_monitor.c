/* SPDX-License-Identifier: MIT */
/*
 * What comes on the monitor's serial line: the line editor, and the words of each line; the same
 * bytes as a script.
 */
#include "tests/fuzz/fuzz.h"

#include "monitor/commands.h"
#include "monitor/line.h"
#include "monitor/script.h"

static void show(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!s[i])
			abort();
}

static const char *word(const char *text, size_t at, unsigned i)
{
	static const char *const words[] = {"pause", "pt", "regs", "reset", "resume", NULL};

	return at && text[0] != 'p' ? NULL : words[i];
}

static void check(const struct line *line)
{
	if (line->length >= LINE_SIZE || line->cursor > line->length ||
	    strlen(line->text) != line->length)
		abort();
}

static void read_script(const char *text, size_t size)
{
	struct script_line line;

	for (size_t at = 0; at < size;) {
		size_t next = script_read(text, size, at, &line);

		if (next <= at || next > size || strlen(line.text) >= SCRIPT_LINE)
			abort();
		at = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line line = {.prompt = "> ", .show = show, .complete = word};
	struct arguments args;
	u64 value;

	read_script((const char *)data, size);
	line_begin(&line);
	for (size_t i = 0; i < size; i++) {
		bool complete = line_input(&line, (char)data[i]);

		check(&line);
		if (!complete)
			continue;
		split(line.text, &args);
		for (unsigned w = 0; args.word[w]; w++)
			number_of(args.word[w], w % 2 ? 10 : 16, &value);
		line_begin(&line);
	}
	return 0;
}
