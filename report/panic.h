/* SPDX-License-Identifier: MIT */
/*
 * What trap_report (arch/x86/trap.h) is set to. panic() itself is in lib/log.h.
 */
#ifndef GH_PANIC_H
#define GH_PANIC_H

#include "arch/x86/trap.h"

/* panic=reset: after the report the machine is reset, not halted. */
extern bool panic_resets;

/* The end by an exception in root mode: as panic(), with @frame's registers. */
void panic_trap(struct trap_frame *frame) __noreturn;

/* For the report: the registers of @f; the build's id and the return addresses on this CPU's stack
 * from @rsp on, by name. */
void panic_frame(const struct trap_frame *f);
void panic_backtrace(u64 rsp);

#endif
