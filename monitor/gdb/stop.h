/* SPDX-License-Identifier: MIT */
/*
 * Why a vCPU has stopped, for gdb.
 */
#ifndef GH_MONITOR_GDB_STOP_H
#define GH_MONITOR_GDB_STOP_H

#include "types.h"

enum stop_kind {
	STOP_NONE,
	STOP_INTERRUPT, /* gdb has asked for it */
	STOP_STEP,      /* a single step has been made */
	/* Breakpoints: the instruction has not been executed, and RIP is its address. */
	STOP_SOFTWARE,
	STOP_HARDWARE,
	/* Watchpoints: the instruction has been executed. */
	STOP_WRITE,
	STOP_READ,
	STOP_ACCESS,
};

struct stop {
	enum stop_kind kind;
	u64 address; /* of the breakpoint or watchpoint */
};

#endif
