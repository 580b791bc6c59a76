/* SPDX-License-Identifier: MIT */
/*
 * Text on a screen in graphics mode. See framebuffer_console.h.
 */
#include "drivers/framebuffer_console.h"
#include "bits.h"
#include "build/font.h"
#include "lib/string.h"

#define MAX_COLUMNS 200u
#define MAX_ROWS    80u
#define MAX_BYTES   GIB(1)  /* no screen is larger */
#define MAX_ADDRESS BIT(46) /* the direct map ends there */

/* Stores of this type may be at any address, and go to the screen one by one. */
typedef volatile u64 pixels64 __aligned(1);
typedef volatile u32 pixels32 __aligned(1);

/* Four neighbouring pixels as they are stored: 16 bytes, or 12 with 24 bits per pixel. */
struct quad {
	u64 low, high;
};

static u8 *screen; /* NULL: not drawn */
static size_t pitch, pixel_bytes;
static unsigned columns, rows;
static unsigned row, column; /* where the next character goes; column may be one too large */
static unsigned fixed;       /* rows at the top that do not move */
static bool stale;           /* what the screen shows is not known */
static u8 cells[MAX_ROWS * MAX_COLUMNS];
static struct quad quads[16]; /* by four bits of a glyph's line */

static bool channel_fits(const struct fb_channel *c, u8 bpp)
{
	return c->size && c->size <= 16 && c->position + c->size <= bpp;
}

static const char *why_not(const struct framebuffer *fb)
{
	u64 bytes = (u64)fb->pitch * fb->height;

	if (fb->type != FB_RGB || (fb->bpp != 24 && fb->bpp != 32))
		return "its pixels do not have 24 or 32 bits of direct colour";
	if (!channel_fits(&fb->red, fb->bpp) || !channel_fits(&fb->green, fb->bpp) ||
	    !channel_fits(&fb->blue, fb->bpp))
		return "its colours do not fit into its pixels";
	if (fb->width < FONT_WIDTH || fb->height < FONT_HEIGHT)
		return "it is too small for a character of 8 by 16 pixels";
	if (fb->pitch < (u64)fb->width * (fb->bpp / 8))
		return "its lines are shorter than their pixels";
	if (!fb->address || fb->address >= MAX_ADDRESS - MAX_BYTES || bytes > MAX_BYTES)
		return "its address or its size is impossible";
	return NULL;
}

/* Two thirds of the brightest value of a channel. */
static u64 grey(const struct fb_channel *c)
{
	return (BIT(c->size) - 1) * 2 / 3 << c->position;
}

/* Precompute the pixels: light grey on black. */
static void make_quads(const struct framebuffer *fb)
{
	u32 ink = (u32)(grey(&fb->red) | grey(&fb->green) | grey(&fb->blue));

	memset(quads, 0, sizeof(quads));
	for (unsigned bits = 0; bits < ARRAY_SIZE(quads); bits++)
		for (unsigned i = 0; i < 4; i++)
			if (bits & 8 >> i)
				memcpy((u8 *)&quads[bits] + i * pixel_bytes, &ink, pixel_bytes);
}

static void clear(void)
{
	row = column = 0;
	memset(cells, ' ', sizeof(cells));
}

const char *framebuffer_console_open(const struct framebuffer *fb)
{
	const char *why = why_not(fb);

	if (why)
		return why;
	screen = NULL;
	pitch = fb->pitch;
	pixel_bytes = fb->bpp / 8;
	columns = MIN(fb->width / FONT_WIDTH, MAX_COLUMNS);
	rows = MIN(fb->height / FONT_HEIGHT, MAX_ROWS);
	fixed = 0;
	stale = false;
	clear();
	make_quads(fb);
	return NULL;
}

u64 framebuffer_console_size(void)
{
	return pitch * rows * FONT_HEIGHT;
}

static void store_quad(u8 *to, const struct quad *q)
{
	*(pixels64 *)to = q->low;
	if (pixel_bytes == 4)
		*(pixels64 *)(to + 8) = q->high;
	else
		*(pixels32 *)(to + 8) = (u32)q->high;
}

/* Line @y of pixels of a cell. */
static void draw_line(unsigned at_row, unsigned at_column, unsigned y)
{
	u8 number = (u8)(cells[at_row * columns + at_column] - FONT_FIRST);
	u8 bits = font_glyphs[MIN(number, ARRAY_SIZE(font_glyphs) - 1)][y];
	u8 *to = screen + (at_row * FONT_HEIGHT + y) * pitch + at_column * pixel_bytes * FONT_WIDTH;

	store_quad(to, &quads[bits >> 4]);
	store_quad(to + 4 * pixel_bytes, &quads[bits & 15]);
}

static void draw(unsigned at_row, unsigned at_column)
{
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		draw_line(at_row, at_column, y);
}

/* From left to right: stores to neighbouring pixels are combined. */
static void draw_all(void)
{
	stale = false;
	for (unsigned r = 0; r < rows; r++)
		for (unsigned y = 0; y < FONT_HEIGHT; y++)
			for (unsigned c = 0; c < columns; c++)
				draw_line(r, c, y);
}

/* What was drawn appears now: the framebuffer is write-combining. */
static void finish(void)
{
	asm volatile("sfence" : : : "memory");
}

static void put(unsigned at_row, unsigned at_column, u8 c)
{
	u8 *cell = &cells[at_row * columns + at_column];

	if (*cell == c)
		return;
	*cell = c;
	if (screen)
		draw(at_row, at_column);
}

static void scroll(void)
{
	unsigned up = MAX((rows - fixed) / 4, 1u);

	for (unsigned r = fixed; r < rows; r++)
		for (unsigned c = 0; c < columns; c++)
			put(r, c, r + up < rows ? cells[(r + up) * columns + c] : ' ');
	row -= up;
}

/* The line after the last one is only scrolled in when there is something to show on it. */
static void new_line(void)
{
	if (row >= rows)
		scroll();
	column = 0;
	row++;
}

static void put_next(u8 c)
{
	if (column >= columns)
		new_line();
	if (row >= rows)
		scroll();
	put(row, column++, c);
}

void framebuffer_console_show(void *pixels)
{
	screen = pixels;
	if (screen)
		draw_all();
	finish();
}

void framebuffer_console_write(const char *s, size_t n)
{
	if (!rows)
		return;
	if (screen && stale)
		draw_all();
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\r')
			column = 0;
		else if (s[i] == '\n')
			new_line();
		else
			put_next((u8)s[i]);
	}
	finish();
}

void framebuffer_console_panic(void)
{
	clear();
	fixed = rows / 2;
	stale = true;
}
