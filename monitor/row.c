/* SPDX-License-Identifier: MIT */
/*
 * Rows, as text and as JSON (RFC 8259). See row.h.
 */
#include "monitor/row.h"
#include "lib/print.h"
#include "lib/string.h"

#define MAX_NUMBER BIT(53) /* that JSON's readers have exactly */
#define TEXT_SIZE  512     /* bytes of a row as text */
#define KEY_SIZE   32

static bool json, in_line; /* in_line: of text, as JSON */
static void (*sink)(const char *s, size_t n);

bool row_is_json(void)
{
	return json;
}

static void put(const char *s)
{
	sink(s, strlen(s));
}

static void put_escaped(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char escape[8];
		u8 c = (u8)s[i];

		/* Bytes above 126 are of no known encoding: they are shown as Latin-1. */
		if (c == '"' || c == '\\')
			snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c < ' ' || c > '~')
			snprintf(escape, sizeof(escape), "\\u%04x", c);
		else
			snprintf(escape, sizeof(escape), "%c", c);
		put(escape);
	}
}

static void put_string(const char *s)
{
	size_t n;

	while (*s == ' ')
		s++;
	n = strlen(s);
	while (n && s[n - 1] == ' ')
		n--;
	put("\"");
	put_escaped(s, n);
	put("\"");
}

void row_begin(bool as_json, void (*write)(const char *s, size_t n))
{
	json = as_json;
	in_line = false;
	sink = write;
}

void row_text(const char *s, size_t n)
{
	while (json && n) {
		size_t length = 0;

		while (length < n && s[length] != '\n')
			length++;
		if (!in_line)
			put("{\"text\":\"");
		put_escaped(s, length);
		in_line = length == n;
		if (!in_line) {
			put("\"}\n");
			length++;
		}
		s += length;
		n -= length;
	}
	if (n)
		sink(s, n);
}

static void end_line(void)
{
	if (in_line)
		put("\"}\n");
	in_line = false;
}

void row_end(const char *why)
{
	end_line();
	put(json ? why ? "{\"err\":" : "{\"ok\":true}" : why ? "err: " : "ok");
	if (why && json) {
		put_string(why);
		put("}");
	} else if (why) {
		put(why);
	}
	put("\n");
	json = false;
}

/* A conversion of a format: its letter, and whether its value has 64 bits. */
struct conversion {
	char letter;
	bool wide;
};

/* The next conversion in *@fmt, which is moved behind it; its letter is 0 at the end. */
static struct conversion next_conversion(const char **fmt)
{
	struct conversion found = {0, false};
	const char *s = *fmt;

	for (; *s; s++) {
		if (*s != '%')
			continue;
		if (s[1] == '%') {
			s++;
			continue;
		}
		while (*++s && strchr("-0+# .123456789lzh", *s))
			found.wide |= *s == 'l' || *s == 'z';
		found.letter = *s;
		s += *s != '\0';
		break;
	}
	*fmt = s;
	return found;
}

static void put_value(struct conversion conversion, bool flag, va_list *args)
{
	char text[32];
	u64 value;

	if (conversion.letter == 's') {
		const char *s = va_arg(*args, const char *);

		if (flag)
			put(*s ? "true" : "false");
		else
			put_string(s);
		return;
	}
	value = conversion.wide ? va_arg(*args, u64) : va_arg(*args, unsigned);
	if (conversion.letter == 'd' && !conversion.wide)
		snprintf(text, sizeof(text), "%d", (int)value);
	else if (conversion.letter == 'x')
		snprintf(text, sizeof(text), "\"0x%lx\"", value);
	else
		snprintf(text, sizeof(text), value > MAX_NUMBER ? "\"%lu\"" : "%lu", value);
	put(text);
}

/* Take the next of the words *@keys. Returns false if it is "-". */
static bool next_key(const char **keys, char key[KEY_SIZE])
{
	size_t n = 0;

	for (; **keys && **keys != ' '; ++*keys)
		if (n + 1 < KEY_SIZE)
			key[n++] = **keys;
	key[n] = '\0';
	while (**keys == ' ')
		++*keys;
	return strcmp(key, "-") != 0;
}

static void put_object(const char *keys, const char *fmt, va_list *args)
{
	struct conversion conversion;
	const char *separator = "";

	end_line();
	put("{");
	while ((conversion = next_conversion(&fmt)).letter) {
		char key[KEY_SIZE] = "";
		bool flag;
		size_t n;

		if (!next_key(&keys, key)) {
			if (conversion.letter == 's' || conversion.wide)
				(void)va_arg(*args, u64);
			else
				(void)va_arg(*args, unsigned);
			continue;
		}
		n = strlen(key);
		flag = n && key[n - 1] == '?';
		key[flag ? n - 1 : n] = '\0';
		put(separator);
		put_string(key);
		put(":");
		put_value(conversion, flag, args);
		separator = ",";
	}
	put("}\n");
}

void row(const char *keys, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, fmt);
	if (json) {
		put_object(keys, fmt, &args);
	} else {
		vsnprintf(text, sizeof(text), fmt, args);
		put(text);
	}
	va_end(args);
}
