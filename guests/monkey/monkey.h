/* SPDX-License-Identifier: MIT */
/*
 * What the monkey's parts share, assembly included.
 */
#ifndef MONKEY_H
#define MONKEY_H

#define M_SIZE   0x4000 /* of struct mcpu */
#define M_RIP    0x78
#define M_CS     0x80
#define M_RFLAGS 0x88
#define M_RSP    0x90
#define M_SS     0x98
#define M_DATA   0xa0
#define M_SAVED  0xa8
#define M_NMIS   0xb0

#define END_VECTOR 3 /* INT3 ends code under test, in any ring */

#ifndef __ASSEMBLER__
#include "bits.h"

enum reg { R15, R14, R13, R12, R11, R10, R9, R8, RDI, RSI, RBP, RBX, RDX, RCX, RAX, NR_REGS };

/* How code under test ended; as the stubs and the CPU push it. */
struct frame {
	u64 regs[NR_REGS];
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

/* A CPU of the monkey's. The first fields are known to run.S. */
struct mcpu {
	u64 in[NR_REGS]; /* registers for the code under test */
	u64 rip, cs, rflags, rsp, ss;
	u64 data;  /* the selector for DS, ES, FS, GS */
	u64 saved; /* our RSP while it runs */
	u64 nmis;

	u64 seed;
	u32 cpu;
	u64 done;     /* actions */
	u64 ends[32]; /* how often each exception ended one */
	u8 *code;     /* user-accessible page */
	u64 cr0, cr4;
	u64 gdt[24];
	u8 tss[104];
	u8 space[M_SIZE - 8 * (NR_REGS + 14 + 32 + 24) - 104] __aligned(16); /* two stacks */
} __aligned(M_SIZE);

struct frame *run(struct mcpu *m);
void lost(struct frame *frame) __noreturn;

/* actions.c: do one thing, chosen by chance. */
void act(struct mcpu *m);
u64 rnd(struct mcpu *m);
/* Run the @n bytes at @code in @ring, as 64-, 32- or 16-bit code, with @m->in. Returns how it
 * ended. */
struct frame *run_code(struct mcpu *m, const void *code, unsigned n, unsigned ring, unsigned bits);

/* Load this CPU's GDT, IDT and TSS. */
void load_tables(struct mcpu *m);

/* Code to try, with the registers by chance: what a hypervisor may see, and accesses at (rdi). */
struct insn {
	u8 length, bytes[7];
};
extern const struct insn insns[], accesses[];
extern const unsigned nr_insns, nr_accesses;

/* RDMSR and WRMSR: the vector that ended them, END_VECTOR if it was no fault. */
u64 do_rdmsr(struct mcpu *m, u32 msr, u64 *value);
u64 do_wrmsr(struct mcpu *m, u32 msr, u64 value);
bool may_write_msr(u32 msr);
bool may_write_port(u64 port);

/* sweep.c: everything once, in order; legacy.c: every instruction @rounds times in each mode
 * outside of long mode. Results by ok(). On the first CPU, without NMIs, in xAPIC mode. */
void sweep(struct mcpu *m, unsigned rounds);
void legacy_sweep(struct mcpu *m, unsigned rounds);

/* Glasshouse's memory: all parts, and the largest; none without it. */
#define MAX_HOLES 8
struct hole {
	u64 start, size;
};
extern struct hole holes[MAX_HOLES];
extern unsigned nr_holes;
extern u64 hole_start, hole_size;
extern unsigned monkey_cpus;
extern bool init_allowed;
extern volatile bool mcpu_up[]; /* NMIs may come */
#endif
#endif
