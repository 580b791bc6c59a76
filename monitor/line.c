/* SPDX-License-Identifier: MIT */
/*
 * The line editor. See line.h. What it sends to the terminal: \b moves the cursor to the left,
 * ESC [ K erases to the end of the line.
 */
#include "monitor/line.h"
#include "lib/string.h"

#define CTRL(letter) ((letter) - '@')
#define ESC          0x1b
#define DEL          0x7f

static void show(struct line *line, const char *text)
{
	line->show(text, strlen(text));
}

/* Show the text from @from on, where the cursor is on the terminal, and put the cursor right. */
static void redraw(struct line *line, size_t from)
{
	show(line, line->text + from);
	show(line, "\x1b[K");
	for (size_t i = line->length; i > line->cursor; i--)
		show(line, "\b");
}

static void go_to(struct line *line, size_t cursor)
{
	for (; line->cursor > cursor; line->cursor--)
		show(line, "\b");
	line->show(line->text + line->cursor, cursor - line->cursor);
	line->cursor = cursor;
}

static void insert(struct line *line, char byte)
{
	if (line->length + 1 == LINE_SIZE) {
		line->too_long = true;
		return;
	}
	memmove(line->text + line->cursor + 1, line->text + line->cursor,
		line->length - line->cursor + 1);
	line->text[line->cursor++] = byte;
	line->length++;
	if (line->cursor == line->length)
		line->show(&byte, 1);
	else
		redraw(line, line->cursor - 1);
}

/* Remove the bytes from @from to the cursor. */
static void erase(struct line *line, size_t from)
{
	size_t end = line->cursor;

	go_to(line, from);
	memmove(line->text + from, line->text + end, line->length - end + 1);
	line->length -= end - from;
	line->too_long &= line->length != 0;
	redraw(line, from);
}

static void replace(struct line *line, const char *text)
{
	go_to(line, 0);
	line->length = strlcpy(line->text, text, LINE_SIZE);
	line->cursor = line->length;
	line->too_long = false;
	redraw(line, 0);
}

/* Show the line that is @back lines back in the history. */
static void recall(struct line *line, unsigned back)
{
	if (back > line->entered || back > LINE_HISTORY)
		return;
	line->back = back;
	replace(line, back ? line->history[(line->entered - back) % LINE_HISTORY] : "");
}

static void remember(struct line *line)
{
	if (line->length && !line->too_long)
		memcpy(line->history[line->entered++ % LINE_HISTORY], line->text, LINE_SIZE);
}

/* List the words that the one from @at on may become, and show the line again. */
static void list(struct line *line, size_t at)
{
	const char *word, *separator = "\n";

	for (unsigned i = 0; (word = line->complete(line->text, at, i)); i++) {
		if (strncmp(word, line->text + at, line->length - at) == 0) {
			show(line, separator);
			show(line, word);
			separator = " ";
		}
	}
	show(line, "\n");
	show(line, line->prompt);
	redraw(line, 0);
}

/* Complete the word that ends with the line, where the cursor is, as far as it is clear; if that
 * adds nothing, list what it may become. */
static void complete(struct line *line)
{
	char common[LINE_SIZE] = ""; /* what all words that match begin with */
	size_t at = line->cursor, typed;
	unsigned matches = 0;
	const char *word;

	if (!line->complete || line->cursor != line->length)
		return;
	while (at && line->text[at - 1] != ' ')
		at--;
	typed = line->length - at;
	for (unsigned i = 0; (word = line->complete(line->text, at, i)); i++) {
		size_t same = 0;

		if (strncmp(word, line->text + at, typed) != 0)
			continue;
		if (!matches++)
			strlcpy(common, word, sizeof(common));
		while (common[same] && word[same] == common[same])
			same++;
		common[same] = '\0';
	}
	if (matches > 1 && strlen(common) == typed) {
		list(line, at);
		return;
	}
	for (size_t i = typed; matches && common[i]; i++)
		insert(line, common[i]);
	if (matches == 1)
		insert(line, ' ');
}

/* The end of an escape sequence: ESC [ A and so on. */
static void escape_ends(struct line *line, char byte)
{
	if (byte == 'A')
		recall(line, line->back + 1);
	if (byte == 'B' && line->back)
		recall(line, line->back - 1);
	if (byte == 'C' && line->cursor < line->length)
		go_to(line, line->cursor + 1);
	if (byte == 'D' && line->cursor)
		go_to(line, line->cursor - 1);
}

/* Returns true if @byte belongs to an escape sequence. */
static bool escape(struct line *line, char byte)
{
	char before = line->escape;

	line->escape = 0;
	if (byte == ESC || (before == ESC && (byte == '[' || byte == 'O')))
		line->escape = byte;
	else if (before && before != ESC && byte >= ' ' && byte < '@')
		line->escape = before; /* numbers before the end */
	else if (before && before != ESC)
		escape_ends(line, byte);
	return before || byte == ESC;
}

void line_begin(struct line *line)
{
	line->length = line->cursor = line->back = 0;
	line->text[0] = '\0';
	line->too_long = false;
	show(line, line->prompt);
}

void line_redraw(struct line *line)
{
	show(line, line->prompt);
	redraw(line, 0);
}

bool line_input(struct line *line, char byte)
{
	bool second = byte == '\n' && line->last == '\r'; /* of one line end */

	line->last = byte;
	if (second || escape(line, byte))
		return false;
	if (byte == '\r' || byte == '\n') {
		remember(line);
		show(line, "\n");
		return true;
	}
	if (byte == CTRL('C')) {
		show(line, "^C\n");
		line_begin(line);
	} else if (byte == CTRL('U')) {
		erase(line, 0);
	} else if (byte == CTRL('A')) {
		go_to(line, 0);
	} else if (byte == CTRL('E')) {
		go_to(line, line->length);
	} else if ((byte == '\b' || byte == DEL) && line->cursor) {
		erase(line, line->cursor - 1);
	} else if (byte == '\t') {
		complete(line);
	} else if (byte >= ' ' && byte < DEL) {
		insert(line, byte);
	}
	return false;
}
