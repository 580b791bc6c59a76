/* SPDX-License-Identifier: MIT */
/*
 * Scripts: the boot loader's modules with the role "script", whose lines are commands that run
 * before the guest's first instruction.
 */
#ifndef GH_MONITOR_SCRIPT_H
#define GH_MONITOR_SCRIPT_H

#include "types.h"

struct vcpu;

#define SCRIPT_LINE 256u /* bytes, with the NUL */

/* What the lines of a script are. */
enum script_kind {
	SCRIPT_NOTHING, /* empty, or a comment */
	SCRIPT_COMMAND, /* of the monitor */
	SCRIPT_EXPECT,  /* expect TEXT: the last command's answer has TEXT in it */
	SCRIPT_WAIT,    /* wait TIME: let the guest run so long */
	SCRIPT_AT_EXIT, /* at exit REASON: let it run until it has exited for that */
};

struct script_line {
	enum script_kind kind;
	char text[SCRIPT_LINE]; /* the command, TEXT or REASON */
	u64 ms;                 /* of SCRIPT_WAIT; 0: TIME is none */
	bool too_long;          /* text[] is only its beginning */
};

/*
 * Read the line of @text, which has @size bytes, that begins at @at, without the spaces at both
 * ends. Returns where the next one begins; @size: there is none. Pure.
 */
size_t script_read(const char *text, size_t size, size_t at, struct script_line *line);

/* Does a script still have lines to run? */
bool script_pending(void);

/* Run the scripts on: to their end, or to a wait or an exit that is not over. On the CPU of
 * monitor_vcpu(). */
void script_continue(void);

/* Does a script keep @vcpu at the exit that it has waited for? */
bool script_keeps(const struct vcpu *vcpu);

#endif
