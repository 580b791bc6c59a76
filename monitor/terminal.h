/* SPDX-License-Identifier: MIT */
/*
 * The terminal on a serial line, between a command and a person or program: what is typed while a
 * command prints is kept; Ctrl-C stops the command; a pager. Pure: bytes come and go by functions
 * of the caller.
 */
#ifndef GH_MONITOR_TERMINAL_H
#define GH_MONITOR_TERMINAL_H

#include "bits.h"

#define TERMINAL_INPUT 4096u /* bytes that are kept; a power of two */
/* What is sent before the terminal looks again for what has come: half of what a UART keeps. */
#define TERMINAL_PIECE 8u

struct terminal {
	/* Set by the caller: */
	int (*read)(void);                      /* returns the next byte that has come; -1: none */
	void (*write)(const char *s, size_t n); /* sends @n bytes; \n is a new line */
	bool (*is_left)(void); /* nobody is there any more, to press a key; NULL: never */
	unsigned page;         /* lines of a page; less than 2: no pager */
	unsigned width;        /* where long lines go on below; 0: nowhere */

	bool for_program; /* the answer of this command is for a program: no pager */

	bool busy;      /* a command runs */
	bool stopped;   /* Ctrl-C, or the pager's q, has stopped it */
	bool lost;      /* there was no room for a byte */
	bool mid_line;  /* the command has not ended its line */
	unsigned lines; /* that it has printed on this page */
	unsigned column;
	char input[TERMINAL_INPUT];
	u32 kept, taken; /* bytes that were put there, and taken from there */
};

/*
 * Send @n bytes at @s. While a command runs, a full page waits for a key: the space bar for the
 * next page, Enter for a line, q or Ctrl-C to stop; what a stopped command prints is dropped.
 */
void terminal_write(struct terminal *terminal, const char *s, size_t n);

/* Returns the next byte that was typed; -1: none yet. */
int terminal_read(struct terminal *terminal);

/* A command begins. */
void terminal_begin(struct terminal *terminal);

/* The command has ended. Returns whether it has been stopped; its line is ended then. */
bool terminal_end(struct terminal *terminal);

/* Has the command that runs been stopped? Looks for what has come. */
bool terminal_stopped(struct terminal *terminal);

#endif
