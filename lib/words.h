/* SPDX-License-Identifier: MIT */
/*
 * The words of a command line: separated by white space; double quotes enclose white space, a
 * backslash makes the next character an ordinary one. This is the quoting that GRUB writes.
 */
#ifndef GH_WORDS_H
#define GH_WORDS_H

#include "types.h"

/*
 * Copy the next word of *@cmdline, without its quotes, to @word of @size bytes (1 or more), and
 * advance
 * *@cmdline past it. Returns the length of the word, @size or more if it was cut; -1 if there is
 * none.
 */
int next_word(const char **cmdline, char *word, size_t size);

#endif
