/* SPDX-License-Identifier: MIT */
/*
 * Options on a command line: key=value words, as lib/words.h separates them (key="a b" or "key=a
 * b"), described by a table.
 */
#ifndef GH_OPTIONS_H
#define GH_OPTIONS_H

#include "bits.h"

enum option_kind {
	OPTION_FLAG,   /* bool: "name", or "name=" on, off, yes, no, 1, 0 */
	OPTION_UINT,   /* u64: decimal or 0x..., then K, M, G or nothing */
	OPTION_CHOICE, /* unsigned: the value's index in choices */
	OPTION_SET,    /* unsigned: a bit for each word of a comma-separated list, 1 << its index */
	OPTION_STRING, /* char[size]: the text, at most size - 1 characters */
};

struct option {
	const char *name;
	enum option_kind kind;
	bool path; /* OPTION_CHOICE: a path (it begins with \ or /) is allowed, too; its index is
		      the one after the words' */
	size_t offset;              /* offsetof() the value in the caller's struct */
	size_t size;                /* OPTION_STRING: bytes of the array */
	u64 min, max;               /* OPTION_UINT: the allowed range, both included */
	const char *const *choices; /* OPTION_CHOICE, OPTION_SET: the words; the last is NULL */
	const char *help;           /* a short description, for error messages and the docs */
};

/* Describe the values that @o takes ("a number from 1 to 256") in @buf of @size bytes. */
void option_expected(const struct option *o, char *buf, size_t size);

/*
 * Parse @cmdline by @table, which has @nr rows, and store the values in the struct at @values.
 *
 * Options that @cmdline does not mention keep their values, so the caller stores the defaults
 * before. If an option is given twice, the last one counts.
 *
 * Returns the number of wrong words: unknown options, missing values, values that are not allowed.
 * Each has no effect, and a warning names it and what would be right.
 */
unsigned options_parse(const struct option *table, unsigned nr, void *values, const char *cmdline);

/* The values of a flag. Those at even indices mean off, those at odd ones on. NULL is the last. */
extern const char *const option_flag_words[];

/*
 * Write into @buf of @size bytes a suggestion for the unknown option @word: the option of @table,
 * which has @nr rows, with the most similar name; all names, if none is similar.
 */
void option_suggest(const struct option *table, unsigned nr, const char *word, char *buf,
		    size_t size);

#endif
