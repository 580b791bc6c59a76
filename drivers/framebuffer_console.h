/* SPDX-License-Identifier: MIT */
/*
 * Text on a screen in graphics mode: a linear framebuffer of 24 or 32 bits per pixel, output only.
 * Writes pixels, never reads them. Accesses nothing but the memory that it is given.
 */
#ifndef GH_FRAMEBUFFER_CONSOLE_H
#define GH_FRAMEBUFFER_CONSOLE_H

#include "framebuffer.h"

/*
 * Prepare for @fb, with an empty text. The text has as many lines and columns as fit, from the
 * upper left corner, but at most 80 and 200. Nothing is drawn before framebuffer_console_show().
 * Returns NULL; or, if text cannot be drawn there, why not: a clause in words.
 */
const char *framebuffer_console_open(const struct framebuffer *fb);

/* The number of bytes from the framebuffer's start that are drawn to; 0 before the first
 * successful framebuffer_console_open(). */
u64 framebuffer_console_size(void);

/* Draw the text to @pixels, the linear address of the framebuffer's first byte, and from now on
 * what is added to it. NULL: do not draw, only keep the text. */
void framebuffer_console_show(void *pixels);

/*
 * Append the @n characters at @s to the text, and draw what changes. \n and \r are obeyed, other
 * characters than ASCII's are shown as a frame. A full text moves up by a quarter, because drawing
 * is slow.
 */
void framebuffer_console_write(const char *s, size_t n);

/*
 * For the last messages: start again with an empty text, all of which the next
 * framebuffer_console_write() draws, because somebody else may have drawn since. From now on the
 * upper half of the text stays when the rest moves up: a report's start says why, its end is the
 * newest.
 */
void framebuffer_console_panic(void);

#endif
