/* SPDX-License-Identifier: MIT */
/*
 * Giving a CPU away for good: from our address space to somebody's 64-bit state, in one step that
 * nobody can come between. SDM: "IA-32e Mode", "IRET/IRETD/IRETQ—Interrupt Return".
 */
#ifndef GH_NATIVE_H
#define GH_NATIVE_H

/* Offsets that native_entry.S knows; checked in native.c. */
#define NATIVE_FRAME     128
#define NATIVE_CR3       168
#define NATIVE_CR4       176
#define NATIVE_EFER      184
#define NATIVE_FS_BASE   192
#define NATIVE_GS_BASE   200
#define NATIVE_DR7       208
#define NATIVE_GDTR      222
#define NATIVE_IDTR      238
#define NATIVE_SELECTORS 248

#ifndef __ASSEMBLER__
#include "bits.h"

/* What a CPU is to have. Registers that are not here it has already. */
struct native_state {
	u64 regs[16]; /* in the order of their numbers; RSP's place is not used */
	u64 rip, cs, rflags, rsp, ss;
	u64 cr3, cr4, efer, fs_base, gs_base, dr7;
	u16 reserved1[3], gdt_limit;
	u64 gdt_base;
	u16 reserved2[3], idt_limit;
	u64 idt_base;
	u16 ldtr, ds, es, fs, gs;
	u16 tr;
	u32 tr_limit;
	u64 tr_base;
	u64 cr0;
};

/*
 * Get what native_resume() needs on @nr CPUs. May be called again with the same @nr. Returns 0 or
 * -ENOMEM.
 */
int native_prepare(unsigned nr);

/* Where to put the state of CPU @i, all of it. */
struct native_state *native_state(unsigned i);

/*
 * Make the shared page known to @top, a top-level page table: one of its entries that is not
 * present and above the middle maps from now on read-only pages of ours, supervisor only, and stays
 * like this: the last instruction of ours is in one. Returns where that is, or 0 when there is no
 * such entry.
 */
u64 native_share(u64 *top);

/*
 * This CPU, number @i of those that were prepared, goes on in its state: 64-bit mode or
 * compatibility mode with 4-level paging, whose top-level table native_share() was told of; @where:
 * what it returned. NMIs must be blocked, as in a handler of theirs; they are not afterwards.
 * Segments are loaded from the state's own descriptor tables; only TR's descriptor is made up,
 * because the real one is marked busy and may be read-only.
 */
void native_resume(unsigned i, u64 where) __noreturn;
#endif

#endif
