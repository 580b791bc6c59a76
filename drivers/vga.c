/* SPDX-License-Identifier: MIT */
/*
 * Output on the VGA text screen.
 */
#include "drivers/vga.h"
#include "arch/x86/io.h"

#define COLUMNS   80u
#define ROWS      25u
#define ATTRIBUTE 0x07
#define CRTC      0x3d4
#define CURSOR_HI 14
#define CURSOR_LO 15

static volatile u16 *screen;
static unsigned pos;

static u8 crtc_read(u8 index)
{
	outb(CRTC, index);
	return inb(CRTC + 1);
}

static void crtc_write(u8 index, u8 value)
{
	outb(CRTC, index);
	outb(CRTC + 1, value);
}

void vga_init(void *buffer)
{
	screen = buffer;
	pos = (unsigned)crtc_read(CURSOR_HI) << 8 | crtc_read(CURSOR_LO);
	if (pos >= COLUMNS * ROWS)
		pos = 0;
}

static void scroll(void)
{
	for (unsigned i = 0; i < COLUMNS * (ROWS - 1); i++)
		screen[i] = screen[i + COLUMNS];
	for (unsigned i = COLUMNS * (ROWS - 1); i < COLUMNS * ROWS; i++)
		screen[i] = ATTRIBUTE << 8 | ' ';
	pos -= COLUMNS;
}

void vga_write(const char *s, size_t n)
{
	if (!screen)
		return;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\r')
			pos -= pos % COLUMNS;
		else if (s[i] == '\n')
			pos += COLUMNS - pos % COLUMNS;
		else
			screen[pos++] = (u16)(ATTRIBUTE << 8 | (u8)s[i]);
		if (pos >= COLUMNS * ROWS)
			scroll();
	}
	crtc_write(CURSOR_HI, (u8)(pos >> 8));
	crtc_write(CURSOR_LO, (u8)pos);
}
