/* SPDX-License-Identifier: MIT */
/*
 * The front door's texts, without the firmware: UCS-2, which UEFI has, and 8-bit text (UTF-8),
 * which Glasshouse's command line is.
 */
#ifndef GH_BOOT_EFI_OPTION_TEXT_H
#define GH_BOOT_EFI_OPTION_TEXT_H

#include <efi.h>

#include "types.h"

/* The character @i of the UCS-2 text at @text, which need not be aligned. */
static inline CHAR16 wide_at(const void *text, size_t i)
{
	const u8 *p = (const u8 *)text + i * sizeof(CHAR16);

	return (CHAR16)(p[0] | p[1] << 8);
}

/* Write the UCS-2 text at @wide, of at most @max characters, to @text of @size bytes, for messages:
 * characters other than ASCII become "?", and what has no room is left out. */
void wide_to_text(char *text, size_t size, const void *wide, size_t max);

/* Write the UTF-8 text @text to @wide, of @size characters (1 or more). Returns the characters that
 * it needs, without the NUL: @size or more if it was cut. */
size_t text_to_wide(CHAR16 *wide, size_t size, const char *text);

/* Does @name end in .efi, of any case, after another character? */
bool ends_in_efi(const char *name);

/*
 * Append to @cmdline, of @size bytes, the options in the @n bytes of a file, UTF-8 or UCS-2. Lines
 * are joined. A "#" at the beginning of a word, up to the end of its line, is a comment. Each
 * backslash becomes two, because in @cmdline they quote. Returns false if there is no room.
 */
bool append_file(char *cmdline, size_t size, const void *bytes, size_t n);

/* Are these @n bytes of load options text, up to a NUL or the end: ASCII, UTF-8 or UCS-2 that
 * begins with a character below U+0100? Firmware may have data of its own there. */
bool load_options_are_text(const void *bytes, size_t n);

/*
 * As append_file(), for load options. If they are not text, nothing is appended. The first word is
 * left out if it is the program's name: a path ending in .efi, or in the name
 * @program, or in that without .efi.
 */
bool append_load_options(char *cmdline, size_t size, const void *bytes, size_t n,
			 const char *program);

#endif
