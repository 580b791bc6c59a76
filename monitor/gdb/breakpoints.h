/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints and watchpoints of gdb. A software breakpoint is an INT3 in a copy of its page, which
 * the guest executes but does not read (vmm/view.h); the others, and software breakpoints where
 * that is not possible, are in the debug registers (vmm/debug_registers.h): 4 in all.
 */
#ifndef GH_MONITOR_GDB_BREAKPOINTS_H
#define GH_MONITOR_GDB_BREAKPOINTS_H

#include "monitor/gdb/stop.h"

struct vcpu;
struct vm;

/* The numbers in gdb's packets Z and z. */
enum breakpoint_type {
	BREAK_SOFTWARE,
	BREAK_HARDWARE,
	WATCH_WRITE,
	WATCH_READ, /* hits at writes, too: gdb leaves out those that change the value */
	WATCH_ACCESS,
	NR_BREAKPOINT_TYPES
};

/* Before the first of them: those of the guest of @vm. @stops is called when a vCPU has hit one: on
 * its CPU, in the exit. */
void breakpoints_init(struct vm *vm,
		      void (*stops)(struct vcpu *vcpu, enum stop_kind kind, u64 address));

/*
 * Insert and remove one at the linear @address, which is guest-physical *@gpa now; NULL: it is not
 * mapped. @length of a watchpoint in bytes: 1, 2, 4 or 8, and @address is a multiple of it. While
 * all vCPUs are stopped. Return false if there is no room, or none like that.
 */
bool breakpoint_insert(enum breakpoint_type type, u64 address, u64 length, const gpa_t *gpa);
bool breakpoint_remove(enum breakpoint_type type, u64 address, u64 length);
void breakpoints_remove_all(void);

/* Have @vcpu stop at them from its next entry on. On its CPU, in root mode. */
void breakpoints_load(struct vcpu *vcpu);

#endif
