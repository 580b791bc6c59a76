/* SPDX-License-Identifier: MIT */
/*
 * The lines of a script. See script.h.
 */
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/script.h"

#define MAX_MS 3600000u /* an hour */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* What follows @word and a space in @text; or NULL. */
static const char *after(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(text, word, n) != 0 || text[n] != ' ')
		return NULL;
	for (text += n; *text == ' '; text++)
		;
	return text;
}

/* "500ms" or "2s" in milliseconds; 0: it is neither. @time is changed. */
static u64 milliseconds(char *time)
{
	size_t n = strlen(time);
	u64 value, unit = 0;

	if (n > 2 && !strcmp(time + n - 2, "ms"))
		unit = 1;
	else if (n > 1 && time[n - 1] == 's')
		unit = 1000;
	if (!unit)
		return 0;
	time[n - (unit == 1 ? 2 : 1)] = '\0';
	return number_of(time, 10, &value) && value <= MAX_MS / unit ? value * unit : 0;
}

size_t script_read(const char *text, size_t size, size_t at, struct script_line *line)
{
	const char *rest;
	size_t n = 0;

	while (at < size && is_space(text[at]))
		at++;
	line->too_long = false;
	for (; at < size && text[at] != '\n'; at++) {
		if (n + 1 < SCRIPT_LINE)
			line->text[n++] = text[at] >= ' ' && text[at] <= '~' ? text[at] : ' ';
		else
			line->too_long |= !is_space(text[at]);
	}
	while (n && line->text[n - 1] == ' ')
		n--;
	line->text[n] = '\0';
	line->kind = !n || line->text[0] == '#' ? SCRIPT_NOTHING : SCRIPT_COMMAND;
	rest = after(line->text, "expect");
	if (rest) {
		line->kind = SCRIPT_EXPECT;
		memmove(line->text, rest, strlen(rest) + 1);
	}
	rest = after(line->text, "at");
	rest = rest ? after(rest, "exit") : NULL;
	if (rest && line->kind == SCRIPT_COMMAND) {
		line->kind = SCRIPT_AT_EXIT;
		memmove(line->text, rest, strlen(rest) + 1);
	}
	rest = after(line->text, "wait");
	if (rest && line->kind == SCRIPT_COMMAND) {
		char time[SCRIPT_LINE];

		line->kind = SCRIPT_WAIT;
		strlcpy(time, rest, sizeof(time));
		line->ms = milliseconds(time);
	}
	return MIN(at + 1, size);
}
