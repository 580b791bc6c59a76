/* SPDX-License-Identifier: MIT */
/*
 * The guest's breakpoints on data and ports. The CPU does not see what we carry out in its place.
 */
#ifndef GH_BREAKPOINT_H
#define GH_BREAKPOINT_H

#include "vmm/vcpu.h"

/* As in DR7's R/W fields. */
enum breakpoint_kind { BREAKPOINT_WRITE = 1, BREAKPOINT_PORT = 2, BREAKPOINT_READ = 3 };

/*
 * The guest's instruction accesses @size bytes at @address, a linear one or a port. What this hits
 * is pending: a #DB comes as soon as the instruction, or the REP's iteration, is done.
 */
void breakpoint_access(struct vcpu *vcpu, enum breakpoint_kind kind, u64 address, unsigned size);

#endif
