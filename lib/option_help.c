/* SPDX-License-Identifier: MIT */
/*
 * Help for options: the values that an option takes, and a suggestion for an unknown option.
 */
#include "lib/options.h"
#include "lib/print.h"
#include "lib/string.h"

#define NAME_MAX 32 /* characters of a name that are compared */

/*
 * How many characters must be added, removed or changed to turn @a into @b, which has no capitals:
 * the Levenshtein distance, ignoring the case of @a.
 */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX + 1], corner, above;
	size_t la = MIN(strlen(a), NAME_MAX), lb = MIN(strlen(b), NAME_MAX);

	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		corner = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			above = row[j];
			row[j] = MIN(MIN(above, row[j - 1]) + 1,
				     corner + (to_lower((u8)a[i - 1]) != (u8)b[j - 1] ? 1 : 0));
			corner = above;
		}
	}
	return row[lb];
}

/* The option whose name is nearest to @word, or NULL if no name is within two changes and within
 * half the length of @word. */
static const struct option *nearest(const struct option *table, unsigned nr, const char *word)
{
	unsigned best_distance = MIN(strlen(word) / 2, 2) + 1, distance;
	const struct option *best = NULL;

	for (unsigned i = 0; i < nr; i++) {
		distance = edit_distance(word, table[i].name);
		if (distance < best_distance) {
			best = &table[i];
			best_distance = distance;
		}
	}
	return best;
}

void option_suggest(const struct option *table, unsigned nr, const char *word, char *buf,
		    size_t size)
{
	const struct option *o = nearest(table, nr, word);
	size_t n;

	if (o) {
		snprintf(buf, size, "did you mean \"%s\" (%s)?", o->name, o->help);
		return;
	}
	n = (size_t)snprintf(buf, size, "the options are");
	for (unsigned i = 0; i < nr && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s %s", i ? "," : "", table[i].name);
}

/* Write "a, b or c" into @buf. Returns the length of what fits. */
static size_t list_words(char *buf, size_t size, const char *const *words)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; words[i] && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s",
				      i == 0         ? ""
				      : words[i + 1] ? ", "
						     : " or ",
				      words[i]);
	return MIN(n, size - 1);
}

void option_expected(const struct option *o, char *buf, size_t size)
{
	size_t n;

	switch (o->kind) {
	case OPTION_FLAG:
		list_words(buf, size, option_flag_words);
		break;
	case OPTION_UINT:
		snprintf(buf, size, "a number from %lu to %lu", o->min, o->max);
		break;
	case OPTION_CHOICE:
		n = list_words(buf, size, o->choices);
		if (o->path)
			strlcpy(buf + n, ", or a path that begins with \\ or /", size - n);
		break;
	case OPTION_SET:
		n = list_words(buf, size, o->choices);
		strlcpy(buf + n, ", separated by commas", size - n);
		break;
	case OPTION_STRING:
		snprintf(buf, size, "a text of at most %zu characters", o->size - 1);
		break;
	}
}
