/* SPDX-License-Identifier: MIT */
/*
 * The front door's texts, without the firmware.
 */
#include "boot/efi/option_text.h"

#include "boot/efi/door.h"
#include "lib/string.h"
#include "lib/words.h"

void wide_to_text(char *text, size_t size, const void *wide, size_t max)
{
	size_t n = 0;

	if (!size)
		return;
	for (; n < max && n + 1 < size && wide_at(wide, n); n++) {
		CHAR16 c = wide_at(wide, n);

		text[n] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	text[n] = '\0';
}

#define UTF8_WRONG 3

/* The bytes that follow @first in a character of UTF-8, up to U+FFFF; or UTF8_WRONG. */
static unsigned utf8_more(u8 first)
{
	if (first < 0x80)
		return 0;
	if (first >= 0xc2 && first < 0xe0)
		return 1;
	return first >= 0xe0 && first < 0xf0 ? 2 : UTF8_WRONG;
}

/* The next character of UTF-8 text, up to U+FFFF; "?" for a byte that does not belong there. */
static CHAR16 next_utf8(const char **text)
{
	const u8 *p = (const u8 *)*text;
	unsigned more = utf8_more(*p);
	unsigned c = more ? *p & (0x3fu >> more) : *p;

	for (unsigned i = 1; i <= more; i++) {
		if (more == UTF8_WRONG || (p[i] & 0xc0) != 0x80) {
			*text += 1;
			return '?';
		}
		c = c << 6 | (p[i] & 0x3f);
	}
	*text += 1 + more;
	return (CHAR16)c;
}

size_t text_to_wide(CHAR16 *wide, size_t size, const char *text)
{
	size_t n = 0;

	while (*text) {
		CHAR16 c = next_utf8(&text);

		if (n < size - 1)
			wide[n] = c;
		n++;
	}
	wide[MIN(n, size - 1)] = 0;
	return n;
}

/* Text of one or two bytes for each character. */
struct source {
	const u8 *at, *end;
	unsigned width;
};

static struct source source_of(const void *bytes, size_t n)
{
	struct source s = {bytes, (const u8 *)bytes + n, 1};

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		s.at += 3;
	else if (n >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || (s.at[0] && !s.at[1])))
		s.width = 2;
	if (s.width == 2 && s.at[0] == 0xff)
		s.at += 2;
	return s;
}

static bool source_next(struct source *s, CHAR16 *c)
{
	if ((size_t)(s->end - s->at) < s->width)
		return false;
	*c = s->width == 2 ? wide_at(s->at, 0) : *s->at;
	s->at += s->width;
	return true;
}

/* A command line that is written. */
struct sink {
	char *text;
	size_t n, size; /* n: characters so far; size or more: there is no room */
};

static void sink_put(struct sink *sink, unsigned c)
{
	if (sink->n + 1 < sink->size) {
		sink->text[sink->n] = (char)c;
		sink->text[sink->n + 1] = '\0';
		sink->n++;
	} else {
		sink->n = sink->size;
	}
}

/* @width: of the source's characters. 8-bit text is UTF-8 already. */
static void sink_put_char(struct sink *sink, CHAR16 c, unsigned width)
{
	if (width == 1 || c < 0x80) {
		if (c == '\\')
			sink_put(sink, c);
		sink_put(sink, c);
		return;
	}
	if (c < 0x800) {
		sink_put(sink, 0xc0u | c >> 6);
	} else {
		sink_put(sink, 0xe0u | c >> 12);
		sink_put(sink, 0x80u | (c >> 6 & 0x3f));
	}
	sink_put(sink, 0x80u | (c & 0x3f));
}

/* A quote that its line does not close is closed at the line's end, so that it does not take in the
 * options after it. */
static bool append(char *cmdline, size_t size, struct source source, bool comments)
{
	struct sink sink = {cmdline, strlen(cmdline), size};
	bool quoted = false, comment = false;
	CHAR16 c, last = ' ';

	if (sink.n)
		sink_put(&sink, ' ');
	while (source_next(&source, &c)) {
		bool line_end = c == '\n' || c == '\r';

		if (c < ' ')
			c = ' ';
		if (comments && c == '#' && last == ' ' && !quoted)
			comment = true;
		if (c == '"' && !comment)
			quoted = !quoted;
		if (line_end && quoted)
			sink_put(&sink, '"');
		if (line_end)
			comment = quoted = false;
		if (comment || (c == ' ' && last == ' ' && !quoted))
			continue;
		sink_put_char(&sink, c, source.width);
		last = c;
	}
	if (quoted)
		sink_put(&sink, '"');
	return sink.n < size;
}

bool append_file(char *cmdline, size_t size, const void *bytes, size_t n)
{
	return append(cmdline, size, source_of(bytes, n), true);
}

static bool is_control(CHAR16 c)
{
	return (c < ' ' && c != '\t' && c != '\r' && c != '\n') || (c > '~' && c < 0xa0);
}

/* Cut @s at its first NUL. Returns false if a character before it is none of text. */
static bool cut_text(struct source *s)
{
	struct source rest = *s;
	const u8 *end = s->at;
	unsigned more = 0; /* bytes that a character of UTF-8 still has */
	CHAR16 c;

	for (; source_next(&rest, &c) && c; end = rest.at) {
		if (more)
			more = (c & 0xc0) == 0x80 ? more - 1 : UTF8_WRONG;
		else if (s->width == 1 && c >= 0x80)
			more = utf8_more((u8)c);
		else if (is_control(c))
			return false;
		if (more == UTF8_WRONG)
			return false;
	}
	s->end = end;
	return !more;
}

bool load_options_are_text(const void *bytes, size_t n)
{
	struct source s = source_of(bytes, n);

	return cut_text(&s);
}

/* Compare @n characters, ignoring their case. */
static bool same(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (to_lower((u8)*a) != to_lower((u8)*b))
			return false;
	return true;
}

bool ends_in_efi(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && same(name + n - 4, ".efi", 4);
}

static bool names_program(const char *word, const char *program)
{
	size_t n, of_program = strlen(program);

	if (strchr(word, '='))
		return false;
	for (const char *p = word; *p; p++)
		if (strchr("\\/:", *p))
			word = p + 1;
	n = strlen(word);
	if (ends_in_efi(word))
		return true;
	if (of_program > 4 && n == of_program - 4 && same(program + n, ".efi", 4))
		of_program = n;
	return n && n == of_program && same(word, program, n);
}

bool append_load_options(char *cmdline, size_t size, const void *bytes, size_t n,
			 const char *program)
{
	struct source source = source_of(bytes, n);
	char *start = cmdline + strlen(cmdline);
	const char *rest = start;
	char word[256];

	if (!cut_text(&source))
		return true;
	if (!append(cmdline, size, source, false))
		return false;
	if (next_word(&rest, word, sizeof(word)) > 0 && names_program(word, program))
		memmove(start, rest, strlen(rest) + 1);
	return true;
}

int door_option(const char *cmdline, const char *name, char *value, size_t size)
{
	size_t n = strlen(name);
	char word[DOOR_VALUE_MAX];
	int length, found = -1;

	while ((length = next_word(&cmdline, word, sizeof(word))) >= 0) {
		if (strncmp(word, name, n) != 0 || word[n] != '=')
			continue;
		found = (int)strlcpy(value, word + n + 1, size);
		if ((size_t)length >= sizeof(word)) /* the word was cut */
			found = length;
	}
	return found;
}
