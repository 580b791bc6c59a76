/* SPDX-License-Identifier: MIT */
/*
 * Binary search in a list of symbols. See system_map.h.
 */
#include "lib/system_map.h"

/* Where the line that byte @at belongs to begins. */
static size_t line_start(const char *text, size_t at)
{
	while (at && text[at - 1] != '\n')
		at--;
	return at;
}

static size_t next_line(const char *text, size_t size, size_t at)
{
	while (at < size && text[at] != '\n')
		at++;
	return at < size ? at + 1 : size;
}

/* Read the number at @at, and store where it ends in *@at. Returns false if there is none. */
static bool read_address(const char *text, size_t size, size_t *at, u64 *address)
{
	size_t start = *at;

	for (*address = 0; *at < size && *at - start <= 16; (*at)++) {
		char c = text[*at];

		if (c >= '0' && c <= '9')
			*address = *address << 4 | (u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*address = *address << 4 | (u64)(c - 'a' + 10);
		else
			break;
	}
	return *at > start && *at - start <= 16;
}

/* Copy the name of the line whose address ends at @at: after " T ". */
static bool copy_name(const char *text, size_t size, size_t at, char *name, size_t room)
{
	size_t n = 0;

	if (size - at < 4 || text[at] != ' ' || text[at + 2] != ' ')
		return false;
	for (at += 3; at < size && n + 1 < room && text[at] > ' ' && text[at] <= '~'; at++)
		name[n++] = text[at];
	name[n] = '\0';
	return n > 0;
}

bool system_map_lookup(const char *text, size_t size, u64 address, char *name, size_t room,
		       u64 *offset)
{
	size_t low = 0, high = size, at; /* the symbol's line begins in [low, high) */
	u64 found;

	while (next_line(text, size, low) < high) {
		size_t middle = line_start(text, low + (high - low) / 2);

		if (middle == low)
			middle = next_line(text, size, low);
		at = middle;
		if (!read_address(text, size, &at, &found))
			return false;
		if (found <= address)
			low = middle;
		else
			high = middle;
	}
	at = low;
	if (!read_address(text, size, &at, &found) || found > address)
		return false;
	*offset = address - found;
	return copy_name(text, size, at, name, room);
}

static bool has_name(const char *text, size_t size, size_t at, const char *name)
{
	for (at += 3; *name; name++, at++)
		if (at >= size || text[at] != *name)
			return false;
	return at >= size || text[at] <= ' ';
}

bool system_map_find(const char *text, size_t size, const char *name, u64 *address)
{
	for (size_t line = 0; line < size; line = next_line(text, size, line)) {
		size_t at = line;

		if (read_address(text, size, &at, address) && has_name(text, size, at, name))
			return true;
	}
	return false;
}
