/* SPDX-License-Identifier: MIT */
/*
 * The guest's data and I/O breakpoints, for accesses that Glasshouse emulates: the CPU does not
 * check those. SDM: "Debug Registers", "Breakpoint Field Recognition".
 */
#ifndef GH_BREAKPOINT_H
#define GH_BREAKPOINT_H

#include "vmm/vcpu.h"

/* The encoding of DR7's R/W fields. */
enum breakpoint_kind { BREAKPOINT_WRITE = 1, BREAKPOINT_PORT = 2, BREAKPOINT_READ = 3 };

/*
 * Check an emulated access of @size bytes (1 to 8) at @address, a linear address or, for
 * BREAKPOINT_PORT, a port number. A breakpoint that it hits becomes a pending debug exception: the
 * guest gets #DB after the instruction, or after this iteration of a REP.
 */
void breakpoint_access(struct vcpu *vcpu, enum breakpoint_kind kind, u64 address, unsigned size);

#endif
