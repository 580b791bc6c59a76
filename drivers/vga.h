/* SPDX-License-Identifier: MIT */
/*
 * The VGA text screen, 80 by 25, output only.
 */
#ifndef GH_VGA_H
#define GH_VGA_H

#include "types.h"

/* Set the linear address of the text buffer (B8000h). Output continues at the cursor, so that the
 * loader's text stays visible. */
void vga_init(void *buffer);

/* Write @n bytes at @s and move the hardware cursor to their end; \n and \r are obeyed, and a full
 * screen scrolls. Does nothing before vga_init(). */
void vga_write(const char *s, size_t n);

#endif
