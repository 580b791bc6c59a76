/* SPDX-License-Identifier: MIT */
/*
 * Words and numbers of a command. See commands.h.
 */
#include "monitor/commands.h"
#include "lib/print.h"
#include "lib/string.h"

bool take_word(struct arguments *args, const char *word)
{
	if (!args->word[1] || strcmp(args->word[1], word) != 0)
		return false;
	for (unsigned i = 1; i < COMMAND_WORDS; i++)
		args->word[i] = args->word[i + 1];
	return true;
}

bool has_option(const struct arguments *args)
{
	return args->word[1] && args->word[1][0] == '-';
}

void split(char *line, struct arguments *args)
{
	unsigned n = 0;

	memset(args, 0, sizeof(*args));
	while (n < COMMAND_WORDS) {
		while (*line == ' ')
			line++;
		if (!*line)
			return;
		args->word[n++] = line;
		while (*line && *line != ' ')
			line++;
		if (*line)
			*line++ = '\0';
	}
}

/* Returns the digit's value, or 16 if it is none. */
static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

bool number_of(const char *word, unsigned base, u64 *value)
{
	u64 sum = 0;

	if (!word)
		return false;
	if (word[0] == '0' && (word[1] | 0x20) == 'x') {
		word += 2;
		base = 16;
	}
	if (!*word)
		return false;
	for (; *word; word++) {
		unsigned n = digit(*word);

		if (n >= base || sum > (~0ull - n) / base)
			return false;
		sum = sum * base + n;
	}
	*value = sum;
	return true;
}

static char why[96];

const char *missing(const char *name)
{
	snprintf(why, sizeof(why), "%s is missing; help NAME shows an example", name);
	return why;
}

const char *parse_number(const char *name, const char *word, unsigned base, u64 most, u64 *value)
{
	const char *kind = base == 16 ? "hexadecimal" : "decimal";
	u64 number;

	if (!word)
		return missing(name);
	if (!number_of(word, base, &number)) {
		snprintf(why, sizeof(why), "%s is no %s number; help NAME shows an example", name,
			 kind);
		return why;
	}
	if (number > most) {
		snprintf(why, sizeof(why), base == 16 ? "%s is at most %lx" : "%s is at most %lu",
			 name, most);
		return why;
	}
	*value = number;
	return NULL;
}
