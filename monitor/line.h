/* SPDX-License-Identifier: MIT */
/*
 * A line editor for a terminal: echo, Backspace, Ctrl-U, Ctrl-C, the arrows, a history, completion.
 * Pure: what is shown goes to a function of the caller.
 */
#ifndef GH_MONITOR_LINE_H
#define GH_MONITOR_LINE_H

#include "types.h"

#define LINE_SIZE    256u /* bytes of a line, with the NUL */
#define LINE_HISTORY 8u   /* lines that are remembered */

struct line {
	/* Set by the caller: */
	const char *prompt;
	void (*show)(const char *s,
		     size_t n); /* sends @n bytes to the terminal; \n is a new line */
	/* Returns word @i of those that may stand at @at in @text, valid until the next call; then
	 * NULL. */
	const char *(*complete)(const char *text, size_t at, unsigned i);

	char text[LINE_SIZE]; /* what has been typed, terminated by NUL */
	size_t length, cursor;
	char history[LINE_HISTORY][LINE_SIZE];
	unsigned entered; /* lines that have been put into the history */
	unsigned back;    /* how many lines back in the history text[] is from; 0: it is new */
	char escape;      /* the last byte of an escape sequence that has begun; or 0 */
	char last;        /* the byte before */
	bool too_long; /* there was no room for all that was typed: text[] is not what was meant */
};

/* Begin a line: show the prompt. */
void line_begin(struct line *line);

/* Show the line again, after something else has been printed. */
void line_redraw(struct line *line);

/*
 * A byte has come from the terminal. Returns true when the line is complete: line->text is it, and
 * line_begin() begins the next one. Bytes that mean nothing are ignored; if there was no room for
 * one, line->too_long is set, until the line is empty or another.
 */
bool line_input(struct line *line, char byte);

#endif
