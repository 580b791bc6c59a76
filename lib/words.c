/* SPDX-License-Identifier: MIT */
/*
 * The words of a command line.
 */
#include "lib/words.h"

#include "bits.h"
#include "lib/string.h"

int next_word(const char **cmdline, char *word, size_t size)
{
	const char *p = *cmdline;
	bool quoted = false;
	size_t n = 0;

	while (*p && strchr(" \t\r\n", *p))
		p++;
	if (!*p) {
		*cmdline = p;
		return -1;
	}
	for (; *p && (quoted || !strchr(" \t\r\n", *p)); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		if (n < size - 1)
			word[n] = *p;
		n++;
	}
	word[MIN(n, size - 1)] = '\0';
	*cmdline = p;
	return (int)n;
}
