/* SPDX-License-Identifier: MIT */
/*
 * The parser of a command line of options.
 */
#include "lib/options.h"

#include "lib/log.h"
#include "lib/number.h"
#include "lib/string.h"
#include "lib/words.h"

#define WORD_SIZE 256
#define NAME_MAX  32 /* bytes for one word of a set */

static const struct option *find(const struct option *table, unsigned nr, const char *name)
{
	for (unsigned i = 0; i < nr; i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

static int index_of(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0)
			return i;
	}
	return -1;
}

static int count(const char *const *words)
{
	int n = 0;

	while (words[n])
		n++;
	return n;
}

/* Set in *@out the bit of each word of the comma-separated @list, by its index in @words. Returns
 * false, without a change, if one is not in @words. */
static bool parse_set(const char *const *words, const char *list, unsigned *out)
{
	unsigned bits = 0;
	char word[NAME_MAX];
	size_t n;
	int i;

	for (; *list; list += n + (list[n] == ',')) {
		for (n = 0; list[n] && list[n] != ','; n++)
			;
		strlcpy(word, list, MIN(n + 1, sizeof(word)));
		i = index_of(words, word);
		if (i < 0)
			return false;
		bits |= 1u << i;
	}
	*out = bits;
	return true;
}

const char *const option_flag_words[] = {"off", "on", "no", "yes", "0", "1", NULL};

/* Store @value, which is NULL for a word without '='. Returns false if it is not allowed. */
static bool set_value(const struct option *o, void *values, const char *value)
{
	void *to = (char *)values + o->offset;
	u64 number;
	int i;

	switch (o->kind) {
	case OPTION_FLAG:
		i = value ? index_of(option_flag_words, value) : 1;
		if (i >= 0)
			*(bool *)to = i & 1;
		return i >= 0;
	case OPTION_UINT:
		if (!value || !parse_uint(value, &number) || number < o->min || number > o->max)
			return false;
		*(u64 *)to = number;
		return true;
	case OPTION_CHOICE:
		i = value ? index_of(o->choices, value) : -1;
		if (i < 0 && value && o->path && (*value == '\\' || *value == '/'))
			i = count(o->choices);
		if (i >= 0)
			*(unsigned *)to = (unsigned)i;
		return i >= 0;
	case OPTION_SET:
		return value && parse_set(o->choices, value, to);
	case OPTION_STRING:
		if (!value || strlen(value) >= o->size)
			return false;
		strlcpy(to, value, o->size);
		return true;
	}
	return false;
}

/* Parse one word, which this splits in place. Returns false, after a warning, if it is wrong. */
static bool parse_word(const struct option *table, unsigned nr, void *values, char *word)
{
	char *value = strchr(word, '='), text[256];
	const struct option *o;

	if (value)
		*value++ = '\0';
	o = find(table, nr, word);
	if (!o) {
		option_suggest(table, nr, word, text, sizeof(text));
		pr_warn("option \"%s\": unknown; %s\n", word, text);
		return false;
	}
	if (set_value(o, values, value))
		return true;
	option_expected(o, text, sizeof(text));
	pr_warn("option \"%s\": %s%s%s; give %s (%s)\n", o->name, value ? "\"" : "",
		value ? value : "it needs a value", value ? "\" is not allowed" : "", text,
		o->help);
	return false;
}

unsigned options_parse(const struct option *table, unsigned nr, void *values, const char *cmdline)
{
	char word[WORD_SIZE];
	unsigned bad = 0;
	int n;

	while ((n = next_word(&cmdline, word, sizeof(word))) >= 0) {
		if (n >= WORD_SIZE) {
			pr_warn("option \"%.32s...\": %d characters long, at most %d are "
				"allowed\n",
				word, n, WORD_SIZE - 1);
			bad++;
		} else if (n > 0) {
			bad += !parse_word(table, nr, values, word);
		}
	}
	return bad;
}
