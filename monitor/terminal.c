/* SPDX-License-Identifier: MIT */
/*
 * The terminal. See terminal.h.
 */
#include "monitor/terminal.h"

#define CTRL_C   3
#define MAX_POLL 64 /* bytes at a time, as a UART may be broken */

static const char more[] = "--more--", no_more[] = "\r\x1b[K";

/* Keep what has come. Ctrl-C drops what has been typed before it. */
static void poll(struct terminal *terminal)
{
	for (unsigned i = 0; i < MAX_POLL; i++) {
		int byte = terminal->read();

		if (byte < 0)
			return;
		if (terminal->busy && byte == CTRL_C) {
			terminal->stopped = true;
			terminal->taken = terminal->kept;
		} else if (terminal->kept - terminal->taken == TERMINAL_INPUT) {
			terminal->lost = true;
		} else {
			terminal->input[terminal->kept++ % TERMINAL_INPUT] = (char)byte;
		}
	}
}

static int take(struct terminal *terminal)
{
	if (terminal->taken == terminal->kept)
		return -1;
	return (u8)terminal->input[terminal->taken++ % TERMINAL_INPUT];
}

int terminal_read(struct terminal *terminal)
{
	poll(terminal);
	return take(terminal);
}

static bool is_left(const struct terminal *terminal)
{
	return terminal->is_left && terminal->is_left();
}

/* A page is full: wait for a key. */
static void wait_for_key(struct terminal *terminal)
{
	terminal->write(more, sizeof(more) - 1);
	while (!terminal->stopped && !is_left(terminal)) {
		int byte = terminal_read(terminal);

		if (byte == 'q' || byte == CTRL_C)
			terminal->stopped = true;
		if (byte == ' ')
			terminal->lines = 0;
		if (byte == '\r' || byte == '\n')
			terminal->lines = terminal->page - 2;
		if (terminal->lines < terminal->page - 1)
			break;
	}
	terminal->write(no_more, sizeof(no_more) - 1);
}

/* @n bytes have been written: they are the end of a line, or within one. */
static void count_lines(struct terminal *terminal, size_t n)
{
	terminal->column += (unsigned)n - !terminal->mid_line;
	if (terminal->width && terminal->column > terminal->width) {
		terminal->lines++;
		terminal->column -= terminal->width;
	}
	if (terminal->mid_line)
		return;
	terminal->lines++;
	terminal->column = 0;
}

void terminal_write(struct terminal *terminal, const char *s, size_t n)
{
	while (n) {
		size_t piece = 0;

		poll(terminal);
		if (terminal->stopped)
			return;
		if (terminal->page > 1 && !terminal->for_program && !terminal->mid_line &&
		    terminal->lines >= terminal->page - 1 && !is_left(terminal)) {
			wait_for_key(terminal);
			continue;
		}
		while (piece < MIN(n, TERMINAL_PIECE) && s[piece++] != '\n')
			;
		terminal->write(s, piece);
		terminal->mid_line = s[piece - 1] != '\n';
		if (terminal->busy)
			count_lines(terminal, piece);
		s += piece;
		n -= piece;
	}
}

void terminal_begin(struct terminal *terminal)
{
	terminal->busy = true;
	terminal->mid_line = false;
	terminal->lines = terminal->column = 0;
}

bool terminal_end(struct terminal *terminal)
{
	bool stopped = terminal->stopped;

	terminal->busy = terminal->stopped = terminal->for_program = false;
	terminal->lines = 0;
	if (stopped && terminal->mid_line)
		terminal->write("\n", 1);
	terminal->mid_line = false;
	return stopped;
}

bool terminal_stopped(struct terminal *terminal)
{
	poll(terminal);
	return terminal->stopped;
}
