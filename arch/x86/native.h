/* SPDX-License-Identifier: MIT */
/*
 * Leave Glasshouse on a CPU for good: switch from Glasshouse's address space to the guest's 64-bit
 * state, with NMIs blocked until the last instruction. SDM: "IA-32e Mode",
 * "IRET/IRETD/IRETQ—Interrupt Return".
 */
#ifndef GH_NATIVE_H
#define GH_NATIVE_H

/* Offsets for native_entry.S; checked in native.c. */
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

/*
 * The registers to load. Registers that are not in here must already hold their final values.
 */
struct native_state {
	u64 regs[16]; /* by register number; RSP's slot is not used */
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
 * Allocate the pages that native_resume() needs, for @nr CPUs (1 to 512). May be called again with
 * the same @nr. Returns 0, -ENOMEM when there is no free page, or -E2BIG when @nr is larger.
 */
int native_prepare(unsigned nr);

/* The state of CPU @i (0 to nr - 1), which the caller fills in completely. */
struct native_state *native_state(unsigned i);

/*
 * Map the shared pages, read-only and supervisor only, in @top, the guest's top-level page table:
 * use an entry of the upper half that is not present. The mapping stays for good, because the last
 * instruction of Glasshouse runs there. Returns its linear address; or 0 when no entry is free.
 */
u64 native_share(u64 *top);

/*
 * Switch this CPU to native_state(@i): 64-bit mode or compatibility mode with 4-level paging.
 * native_share() must have mapped the shared pages in its top-level table; @where: the address that
 * it returned. NMIs must be blocked, as in an NMI handler; IRETQ unblocks them. Segments are loaded
 * from the state's own descriptor tables, except TR: its descriptor is marked busy and may be
 * read-only, so TR is loaded from a temporary copy.
 */
void native_resume(unsigned i, u64 where) __noreturn;
#endif

#endif
