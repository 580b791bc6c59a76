/* SPDX-License-Identifier: MIT */
/*
 * The CPU's debug registers, shared by the guest and a debugger. While the debugger has points, MOV
 * to and from debug registers exits, and the guest sees its own values. The guest's enabled
 * breakpoints are in the registers where the guest has put them; the debugger's are in others. #DB
 * exits: each gets what is its own. SDM: "Debug Registers".
 */
#ifndef GH_VMM_DEBUG_REGISTERS_H
#define GH_VMM_DEBUG_REGISTERS_H

#include "vmm/debug_state.h"

struct vcpu;

/* Have @vcpu use @points, which must not change before the next call. None is used: the registers
 * are the guest's again. On the vCPU's CPU, in root mode. */
void debug_load(struct vcpu *vcpu, const struct debug_point points[DEBUG_REGISTERS]);

/* For leaving the guest for good: the registers are the guest's. On the vCPU's CPU. */
void debug_unload(struct vcpu *vcpu);

/* The guest's DR0 to DR3, as it sees them. On the vCPU's CPU, in root mode. */
u64 debug_guest_register(struct vcpu *vcpu, unsigned n);

/* ---- For the vendor's code ---- */

/* The guest's DR7 is to be @dr7: while state->on, instead of writing it to the CPU. */
void debug_set_guest_dr7(struct vcpu *vcpu, u64 dr7);

/* INIT and power-up: the guest's registers are zeros. */
void debug_reset(struct vcpu *vcpu);

/*
 * Emulate MOV to (@write) or from debug register @n (0 to 7) by general register @reg. Skips the
 * instruction, or queues #GP, #UD or #DB, as the CPU would. SDM: "MOV—Move to/from Debug
 * Registers".
 */
void emulate_mov_dr(struct vcpu *vcpu, unsigned n, unsigned reg, bool write);

#endif
