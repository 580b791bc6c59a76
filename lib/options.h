/* SPDX-License-Identifier: MIT */
/*
 * A command line of options, read by a table: key=value words, separated by white space. A value
 * with spaces stands in double quotes (key="a b" or "key=a b"); a backslash takes the meaning from
 * the character after it. That is what GRUB passes on.
 */
#ifndef GH_OPTIONS_H
#define GH_OPTIONS_H

#include "bits.h"

enum option_kind {
	OPTION_FLAG,   /* bool: "name", or "name=" on, off, yes, no, 1, 0 */
	OPTION_UINT,   /* u64: decimal or 0x..., with K, M or G behind it */
	OPTION_CHOICE, /* unsigned: the index in choices */
	OPTION_SET, /* unsigned: the bits of those of choices that stand there, with commas between
		     */
	OPTION_STRING, /* char[size] */
};

struct option {
	const char *name;
	enum option_kind kind;
	size_t offset;              /* of the value in the caller's struct: offsetof() */
	size_t size;                /* OPTION_STRING: of the array */
	u64 min, max;               /* OPTION_UINT: what is allowed, max included */
	const char *const *choices; /* OPTION_CHOICE, OPTION_SET: the words, NULL behind the last */
	const char *help;           /* what it does: a few words, said when it was given wrongly */
};

/*
 * Write what may be given for @o, in words, into @buf of @size bytes.
 */
void option_expected(const struct option *o, char *buf, size_t size);

/*
 * Set in @values what @cmdline says; what it does not mention stays as it is, so the defaults are
 * what @values holds before. The last mention of an option counts. @table has @nr rows.
 *
 * Returns how many words were wrong: unknown, without a value, with one that is not allowed. Each
 * of them is named by pr_warn together with what would be right, and has no effect.
 */
unsigned options_parse(const struct option *table, unsigned nr, void *values, const char *cmdline);

/* What the values of a flag may be: by turns no and yes; NULL ends them. */
extern const char *const option_flag_words[];

/*
 * Write into @buf of @size bytes what the unknown @word may be meant to be: the option of @table
 * with a name like it, or, when there is none, all names.
 */
void option_meant(const struct option *table, unsigned nr, const char *word, char *buf,
		  size_t size);

#endif
