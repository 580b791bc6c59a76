/* SPDX-License-Identifier: MIT */
/*
 * Text in a framebuffer: each pixel in modes of all kinds, scrolling, what it costs, and modes that
 * are refused.
 */
#include "tests/unit/stubs.h"

#include "build/font.h"
#include "drivers/framebuffer_console.h"

/* What somebody else has left in the framebuffer. */
#define DIRT 0x5a

static const struct framebuffer modes[] = {
	/* VBE's and GOP's usual ones: BGR with 24 and 32 bits, RGB. */
	{0xfd000000, 1024 * 4, 1024, 768, 32, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	{0xfd000000, 800 * 3, 800, 600, 24, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	{0xe0000000, 1280 * 4, 1280, 720, 32, FB_RGB, {0, 8}, {8, 8}, {16, 8}},
	/* Odd pitches, and sizes that are no multiple of a character's. */
	{0x80000000, 333 * 4 + 1, 333, 111, 32, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	{0x80000001, 1003, 333, 111, 24, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	/* Masks at odd positions: ten bits for each colour; few bits; the highest bits. */
	{0x80000000, 640 * 4, 640, 48, 32, FB_RGB, {20, 10}, {10, 10}, {0, 10}},
	{0x80000000, 640 * 3, 640, 48, 24, FB_RGB, {3, 5}, {11, 6}, {23, 1}},
	{0x80000000, 640 * 4, 640, 48, 32, FB_RGB, {24, 8}, {16, 8}, {8, 8}},
	/* Larger than the text can be; tiny; above 4 GiB. */
	{0x80000000, 2560 * 4, 2560, 1600, 32, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	{0x80000000, 8 * 4, 8, 16, 32, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	{0x80000000, 15 * 3, 15, 31, 24, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
	{0x4000000000, 64 * 4, 64, 64, 32, FB_RGB, {16, 8}, {8, 8}, {0, 8}},
};

static struct framebuffer fb;
static u8 *pixels; /* of exactly the mode's size, so that the sanitizer sees any access beyond it */
static unsigned columns, rows;

static size_t fb_size(void)
{
	/* The last line need not have all bytes of the pitch. */
	return (size_t)fb.pitch * (fb.height - 1) + fb.width * (fb.bpp / 8);
}

static void make_pixels(const struct framebuffer *mode)
{
	fb = *mode;
	pixels = malloc(fb_size());
	assert_non_null(pixels);
	memset(pixels, DIRT, fb_size());
	columns = MIN(fb.width / 8, 200);
	rows = MIN(fb.height / 16, 80);
}

static void open_mode(const struct framebuffer *mode)
{
	make_pixels(mode);
	assert_null(framebuffer_console_open(&fb));
	framebuffer_console_show(pixels);
}

static void write_text(const char *text)
{
	framebuffer_console_write(text, strlen(text));
}

/* Writes "line @i" with as many characters of it as @columns has, and \n. */
static void write_line(unsigned i)
{
	char line[32];

	snprintf(line, sizeof(line), "line %u", i);
	framebuffer_console_write(line, MIN(strlen(line), columns));
	write_text("\n");
}

static u32 pixel(unsigned x, unsigned y)
{
	u32 value = 0;

	memcpy(&value, pixels + (size_t)y * fb.pitch + x * (fb.bpp / 8), fb.bpp / 8);
	return value;
}

/* The value that a character's pixels must have, computed another way than the code does. */
static u32 ink(void)
{
	const struct fb_channel *channels[] = {&fb.red, &fb.green, &fb.blue};
	u32 value = 0;

	for (unsigned i = 0; i < 3; i++) {
		u32 max = (1u << channels[i]->size) - 1;

		value |= (max - (max + 2) / 3) << channels[i]->position;
	}
	return value;
}

/* The cell at @row, @column shows @c: each of its pixels is right. */
static void assert_cell(unsigned row, unsigned column, char c)
{
	const u8 *glyph = font_glyphs[c >= 0x20 && c <= 0x7e ? c - 0x20 : 95];

	for (unsigned y = 0; y < 16; y++) {
		for (unsigned x = 0; x < 8; x++) {
			u32 wanted = glyph[y] & 0x80 >> x ? ink() : 0;
			u32 found = pixel(column * 8 + x, row * 16 + y);

			if (found != wanted)
				fail_msg("%ux%ux%u: row %u column %u, %02xh: pixel %u,%u is %#x, "
					 "not %#x",
					 fb.width, fb.height, fb.bpp, row, column, (u8)c, x, y,
					 found, wanted);
		}
	}
}

/* Row @row shows @text, and spaces after it. */
static void assert_row(unsigned row, const char *text)
{
	size_t n = strlen(text);

	for (unsigned column = 0; column < columns; column++)
		assert_cell(row, column, column < n ? text[column] : ' ');
}

/* All that is outside of the cells is as it was: margins, and what the pitch has too many. */
static void assert_margins(void)
{
	size_t right = (size_t)columns * 8 * (fb.bpp / 8);

	for (size_t i = 0; i < fb_size(); i++)
		if ((i % fb.pitch >= right || i / fb.pitch >= rows * 16) && pixels[i] != DIRT)
			fail_msg("byte %zu beside the text was written", i);
}

static void test_draws(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		open_mode(&modes[i]);
		assert_row(0, "");
		assert_row(rows - 1, "");
		if (columns >= 20 && rows >= 5) {
			write_text("Hello, world!\n  ~}|{ \x01\x7f\xe4\nabc\rX");
			assert_row(0, "Hello, world!");
			assert_row(1, "  ~}|{ \x01\x01\x01");
			assert_row(2, "Xbc");
			assert_row(3, "");
		}
		assert_true(framebuffer_console_size() <= (u64)fb.pitch * fb.height);
		assert_true(framebuffer_console_size() >= (u64)fb.pitch * rows * 16);
		assert_margins();
		free(pixels);
	}
}

/* Each character, at the end of its line, which wraps. */
static void test_all_characters(void **state)
{
	char text[256];

	(void)state;
	open_mode(&modes[1]);
	for (unsigned c = 0; c < sizeof(text); c++)
		text[c] = (char)(c == '\n' || c == '\r' ? ' ' : c);
	framebuffer_console_write(text, sizeof(text));
	for (unsigned c = 0; c < sizeof(text); c++)
		assert_cell(c / columns, c % columns, text[c]);
	free(pixels);
}

/* A line that just fits is followed by no empty one; empty lines are kept. */
static void test_wraps(void **state)
{
	char full[201];

	(void)state;
	open_mode(&modes[0]);
	memset(full, 'x', columns);
	full[columns] = '\0';
	write_text(full);
	write_text("\nsecond\n\nfourth\n");
	write_text(full);
	write_text("y");
	assert_row(0, full);
	assert_row(1, "second");
	assert_row(2, "");
	assert_row(3, "fourth");
	assert_row(4, full);
	assert_row(5, "y");
	free(pixels);
}

/* A full screen moves up by a quarter; the last lines stay, in order, whatever the mode. */
static void test_scrolls(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		char text[32];
		unsigned lines, up;

		open_mode(&modes[i]);
		up = MAX(rows / 4, 1u);
		for (lines = 0; lines < rows; lines++)
			write_line(lines);
		/* Full, but nothing follows yet. */
		snprintf(text, sizeof(text), "%.*s", (int)columns, "line 0");
		assert_row(0, text);
		write_line(lines++);
		for (unsigned row = 0; row < rows; row++) {
			snprintf(text, sizeof(text), "line %u", row + up);
			text[MIN(columns, strlen(text))] = '\0';
			assert_row(row, row + up < lines ? text : "");
		}
		for (; lines < 1000; lines++)
			write_line(lines);
		write_text("\n\n\n\n\n");
		write_text("E");
		assert_margins();
		free(pixels);
	}
}

/* Nothing is read, and a character that has not changed is not drawn; but a panic is drawn on an
 * empty text, whatever the pixels are. */
static void test_panics(void **state)
{
	(void)state;
	open_mode(&modes[1]);
	write_text("before\n");
	memset(pixels, DIRT, fb_size());
	write_text("\n");
	assert_margins();
	assert_int_equal(pixels[0], DIRT);
	framebuffer_console_panic();
	assert_int_equal(pixels[0], DIRT);
	write_text("why\nwhere");
	assert_row(0, "why");
	assert_row(1, "where");
	for (unsigned row = 2; row < rows; row++)
		assert_row(row, "");
	assert_margins();
	free(pixels);
}

/* A panic's first lines stay, its last ones are seen. */
static void test_keeps_why(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		char text[32];
		unsigned fixed, moving, first, filled = 0;

		open_mode(&modes[i]);
		write_text("before\n");
		framebuffer_console_panic();
		fixed = first = rows / 2;
		moving = rows - fixed;
		for (unsigned line = 0; line < 1000; line++) {
			write_line(line);
			if (line < fixed)
				continue;
			if (filled == moving) {
				first += MAX(moving / 4, 1u);
				filled -= MAX(moving / 4, 1u);
			}
			filled++;
		}
		for (unsigned row = 0; row < rows; row++) {
			snprintf(text, sizeof(text), "line %u",
				 row < fixed ? row : first + row - fixed);
			text[MIN(columns, strlen(text))] = '\0';
			assert_row(row, row < fixed + filled ? text : "");
		}
		assert_margins();
		free(pixels);
	}
}

/* Text that comes before the framebuffer is mapped is drawn when it is. */
static void test_shows_later(void **state)
{
	(void)state;
	make_pixels(&modes[11]);
	assert_null(framebuffer_console_open(&fb));
	write_text("early\n");
	write_text("more\n");
	framebuffer_console_show(NULL);
	assert_int_equal(pixels[0], DIRT);
	framebuffer_console_show(pixels);
	assert_row(0, "early");
	assert_row(1, "more");
	assert_row(2, "");
	free(pixels);
}

/* A report of 100 lines draws few of the cells more than once: the cost is its characters'. */
static void test_cost(void **state)
{
	const unsigned cells = 80 * 200;
	size_t changed = 0;
	u8 *before;

	(void)state;
	open_mode(&modes[8]);
	assert_int_equal(columns * rows, cells);
	before = exact_copy(pixels, fb_size());
	for (unsigned i = 0; i < 100; i++) {
		write_text("a line of usual length, as a report has it, with some of its words: ");
		write_line(i);
		for (size_t at = 0; at < fb_size(); at += 4)
			changed += memcmp(before + at, pixels + at, 4) != 0;
		memcpy(before, pixels, fb_size());
	}
	/* At 128 pixels for each of 7500 characters, and two scrolls. */
	assert_true(changed < 128 * 3 * 7500);
	free(before);
	free(pixels);
}

/* Opens @mode, which must be refused for a reason that has @why in it. */
static void assert_refused(const struct framebuffer *mode, const char *why)
{
	const char *said = framebuffer_console_open(mode);

	if (!said || !strstr(said, why))
		fail_msg("expected \"%s\", got \"%s\"", why, said ? said : "(accepted)");
}

#define REFUSED(why, ...)                          \
	do {                                       \
		struct framebuffer bad = modes[0]; \
		struct framebuffer *mode = &bad;   \
		__VA_ARGS__;                       \
		assert_refused(mode, why);         \
	} while (0)

static void test_refuses(void **state)
{
	(void)state;
	open_mode(&modes[0]);
	write_text("still here");
	REFUSED("24 or 32 bits", mode->type = FB_INDEXED, mode->bpp = 8);
	REFUSED("24 or 32 bits", mode->type = FB_TEXT);
	REFUSED("24 or 32 bits", mode->bpp = 16);
	REFUSED("24 or 32 bits", mode->bpp = 15);
	REFUSED("24 or 32 bits", mode->bpp = 0);
	REFUSED("24 or 32 bits", mode->bpp = 255);
	REFUSED("colours", mode->red.position = 25);
	REFUSED("colours", mode->green.position = 255, mode->green.size = 255);
	REFUSED("colours", mode->blue.size = 0);
	REFUSED("colours", mode->bpp = 24, mode->red.position = 17);
	REFUSED("colours", mode->red.position = 0, mode->red.size = 32);
	REFUSED("too small", mode->width = 0);
	REFUSED("too small", mode->height = 0);
	REFUSED("too small", mode->width = 7);
	REFUSED("too small", mode->height = 15);
	REFUSED("lines", mode->pitch = 0);
	REFUSED("lines", mode->pitch = 1024 * 4 - 1);
	REFUSED("lines", mode->width = 0xffffffff);
	REFUSED("lines", mode->width = 0x40000001); /* times 4 it is 4 in 32 bits */
	REFUSED("address or its size", mode->address = 0);
	REFUSED("address or its size", mode->address = ~0ull);
	REFUSED("address or its size", mode->address = ~0ull - 4096);
	REFUSED("address or its size", mode->address = BIT(46) - 4096);
	REFUSED("address or its size", mode->height = 0xffffffff);
	REFUSED("address or its size", mode->pitch = 0xffffffff, mode->height = 0xffffffff);
	/* What was there goes on. */
	write_text("\ngoing on");
	assert_row(0, "still here");
	assert_row(1, "going on");
	free(pixels);
}

/* Before anything is opened, nothing happens. */
static void test_closed(void **state)
{
	(void)state;
	assert_int_equal(framebuffer_console_size(), 0);
	framebuffer_console_panic();
	write_text("nothing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed), /* first */
		cmocka_unit_test(test_draws),       cmocka_unit_test(test_all_characters),
		cmocka_unit_test(test_wraps),       cmocka_unit_test(test_scrolls),
		cmocka_unit_test(test_panics),      cmocka_unit_test(test_keeps_why),
		cmocka_unit_test(test_shows_later), cmocka_unit_test(test_cost),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
