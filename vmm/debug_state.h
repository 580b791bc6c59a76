/* SPDX-License-Identifier: MIT */
/*
 * How the guest's breakpoints and a debugger's share the CPU's debug registers: pure. See
 * debug_registers.h. SDM: "Debug Registers".
 */
#ifndef GH_VMM_DEBUG_STATE_H
#define GH_VMM_DEBUG_STATE_H

#include "types.h"

#define DEBUG_REGISTERS 4u /* DR0 to DR3 */

/* The encoding of DR7's R/W fields. */
enum debug_kind { DEBUG_EXECUTE = 0, DEBUG_WRITE = 1, DEBUG_ACCESS = 3 };

/* A breakpoint of the debugger, on all vCPUs. */
struct debug_point {
	bool used;
	u8 kind;     /* enum debug_kind */
	u8 length;   /* in bytes: 1, 2, 4, 8; of DEBUG_EXECUTE 1 */
	u64 address; /* linear, a multiple of length */
};

/* What the guest's registers and the debugger's make together. */
struct debug_state {
	bool on;                    /* the CPU's registers are not the guest's */
	u64 guest[DEBUG_REGISTERS]; /* DR0 to DR3 */
	u64 guest_dr7;
	u64 owed;                  /* reasons of a #DB that the guest has not got yet */
	u8 point[DEBUG_REGISTERS]; /* of the CPU's register: 1 + the number of a point; 0: none */
	u64 dr[DEBUG_REGISTERS], dr7; /* the CPU's */
};

/*
 * Compute point, dr and dr7 of @state from guest, guest_dr7 and @points. Points for which
 * there is no register, because the guest uses them, are left out.
 */
void debug_merge(struct debug_state *state, const struct debug_point points[DEBUG_REGISTERS]);

/* Which of the reasons of a #DB (DR6's bits) are the guest's. *@hit gets a point that is hit,
 * if any of them is, otherwise NULL. */
u64 debug_guest_reasons(const struct debug_state *state,
			const struct debug_point points[DEBUG_REGISTERS], u64 reasons,
			const struct debug_point **hit);

#endif
