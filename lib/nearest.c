/* SPDX-License-Identifier: MIT */
/*
 * Which option is meant by a word that is none.
 */
#include "lib/options.h"
#include "lib/string.h"

#define NAME_MAX 32 /* characters of a name that count */

/* How many characters must be added, removed or changed to make @b of @a. */
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
				     corner + (a[i - 1] != b[j - 1] ? 1 : 0));
			corner = above;
		}
	}
	return row[lb];
}

const struct option *option_nearest(const struct option *table, unsigned nr, const char *name)
{
	const struct option *best = NULL;
	unsigned best_distance = ~0u, distance;

	for (unsigned i = 0; i < nr; i++) {
		distance = edit_distance(name, table[i].name);
		if (distance < best_distance) {
			best = &table[i];
			best_distance = distance;
		}
	}
	return best;
}
