/* SPDX-License-Identifier: MIT */
/*
 * A stub for gdb on the monitor's serial line. gdb's first packet makes the line gdb's, and stops
 * all vCPUs; when gdb detaches, the line is the monitor's again.
 */
#ifndef GH_MONITOR_GDB_GDB_H
#define GH_MONITOR_GDB_GDB_H

#include "types.h"

struct vcpu;
struct vm;

/* What the monitor does for gdb. */
struct gdb_host {
	/* Send @n bytes on the line. */
	void (*send)(const char *s, size_t n);
	/* Run the command of the monitor that is in @line, whose output goes to gdb_print().
	 * Returns NULL, or why it failed. @line_size: bytes there, with the NUL. @too_long: why a
	 * longer one is not run. */
	const char *(*command)(char *line);
	char *line;
	size_t line_size;
	const char *too_long;
	/* On the boot CPU: call gdb_poll(), and do not return while gdb_keeps(@vcpu). If that is
	 * being done already, return at once. */
	void (*serve)(struct vcpu *vcpu);
	/* Reset the machine, soon. */
	void (*reset)(void);
};

/*
 * Make it possible that gdb debugs the guest of @vm. On the boot CPU, whose vCPU is the first of
 * @vm; so are all calls of the functions below. @ticks: of the time-stamp counter, how long to wait
 * for another CPU. Returns false if out of memory.
 */
bool gdb_start(struct vm *vm, const struct gdb_host *host, u64 ticks);

/*
 * A byte has come on the line; @free: it is the first of a line of the monitor. Returns true if
 * the byte is gdb's. Two Enters, which gdb never sends, are a person's who says that gdb has gone
 * without detaching: the guest runs on, and the line is the monitor's.
 */
bool gdb_input(char byte, bool free);

/* Is gdb about to send more at once? */
bool gdb_expects(void);
/* Bytes of gdb's were lost: ask it to send its packet again. */
void gdb_ask_again(void);
/* Nothing has come for a while. Returns true if gdb has been asked to send its packet again. */
bool gdb_silence(void);

/* At each beat: tell gdb what has happened meanwhile. */
void gdb_poll(void);

/* Does gdb have the line? */
bool gdb_attached(void);
/* Does gdb keep @vcpu out of the guest? */
bool gdb_keeps(const struct vcpu *vcpu);

/* Print @n characters for the person who uses gdb: the output of gdb_host.command. */
void gdb_print(const char *s, size_t n);

#endif
