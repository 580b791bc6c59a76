/* SPDX-License-Identifier: MIT */
/*
 * The VGA text screen, 80 by 25, output only.
 */
#ifndef GH_VGA_H
#define GH_VGA_H

#include "types.h"

/* @buffer: linear address of the text buffer (B8000h). The screen goes on below what is there, from
 * the cursor. */
void vga_init(void *buffer);

/* Write @n bytes; scrolls; keeps the hardware cursor behind the text. */
void vga_write(const char *s, size_t n);

#endif
