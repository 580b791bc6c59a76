/* SPDX-License-Identifier: MIT */
/*
 * The string of a boot loader's module: the first word is its role, the others are its arguments.
 */
#ifndef GH_ROLE_H
#define GH_ROLE_H

#include "lib/string.h"

/* The role of a module that is not the guest's: the names in its code, for the monitor. */
#define SYMBOLS_ROLE "symbols"

/* The role of a module that holds commands of the monitor. */
#define SCRIPT_ROLE "script"

/* The arguments in @string (after the first word), if its role is @role; else NULL. */
static inline const char *role_arguments(const char *string, const char *role)
{
	size_t n = strlen(role);

	if (strncmp(string, role, n) != 0 || (string[n] && string[n] != ' '))
		return NULL;
	string += n;
	while (*string == ' ')
		string++;
	return string;
}

#endif
