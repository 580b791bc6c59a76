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
#define M_STREAM 0xb8

#define SLOT 32 /* bytes of each instruction in a stream, with what loads its registers */

#define END_VECTOR 3 /* INT3 ends code under test, in any ring */

#ifndef __ASSEMBLER__
#include "bits.h"

/* Linear: 64 KiB of user pages for each CPU; and selectors. */
#define WINDOW       0xc0000000ull
#define WINDOW_SIZE  0x10000ull
#define CODE64(ring) ((2 + 2 * (ring)) * 8 + (ring))
#define DATA(ring)   ((3 + 2 * (ring)) * 8 + (ring))
#define CODE32(ring) ((10 + (ring)) * 8 + (ring))
#define CODE16(ring) ((14 + (ring)) * 8 + (ring))
#define TSS_SEL      (18 * 8)
#define BUFFER16     0xc000 /* for 16-bit code: what BX + SI point to, with a base of 0 */

struct gate {
	u16 low, selector, flags, mid;
	u32 high, zero;
};
extern struct gate idt[256];

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
	u64 stream; /* the page of a stream that runs, or 0 */

	u64 seed;
	u32 cpu;
	u64 done;     /* actions */
	u64 ends[32]; /* how often each exception ended one */
	u8 *code;     /* user-accessible page */
	u64 cr0, cr4, apic_base;
	u64 has_xsave;
	u64 slots, stream_cr0; /* of the stream that is being made */
	u64 gdt[24];
	u8 tss[104];
	u8 space[M_SIZE - 8 * (NR_REGS + 19 + 32 + 24) - 104] __aligned(16); /* two stacks */
} __aligned(M_SIZE);

struct frame *run(struct mcpu *m);
void lost(struct frame *frame) __noreturn;

/* actions.c: do one thing, chosen by chance. */
void act(struct mcpu *m);
u64 rnd(struct mcpu *m);
bool one_in(struct mcpu *m, u64 n);
/* Any 64 bits: small, with one bit, near an edge, or all by chance. */
u64 any(struct mcpu *m);

/* Run the @n bytes at @code in @ring, as 64-, 32- or 16-bit code, with @m->in. Returns how it
 * ended; at the latest, by the timer. The second in ring 0, 64 bits, without interrupts and
 * single-steps: for what ends itself. */
struct frame *run_code(struct mcpu *m, const void *code, unsigned n, unsigned ring, unsigned bits);
struct frame *run_quiet(struct mcpu *m, const void *code, unsigned n);
/* What is at @page already, as run_quiet(), with these flags beside. */
struct frame *run_at(struct mcpu *m, void *page, u64 rflags);

/*
 * stream.c: many instructions in one go, in ring 0 of 64-bit mode: a fault goes on with the next.
 * Add one with its registers; @n is at most 8 bytes.
 */
struct slot {
	u32 cx, ax, dx, di;
	unsigned n;
	u8 code[8];
};
void stream_add(struct mcpu *m, const struct slot *slot);
void stream_run(struct mcpu *m, unsigned times, bool step);
#define STREAM_SLOTS 120 /* at most, before it is run */

/* Load this CPU's GDT, IDT and TSS. */
void load_tables(struct mcpu *m);
/* On this CPU: the same, and all else that run_code() needs. */
void start_monkey(unsigned cpu);

/* insns.c: code to try. */
enum insn_with { /* what it needs in registers or memory; without that: anything */
		 WITH_ANY,
		 WITH_CR0,
		 WITH_CR3,
		 WITH_CR4,
		 WITH_DR,
		 WITH_LMSW,
		 WITH_SELECTOR,
		 WITH_GDT,
		 WITH_IDT,
		 WITH_MSR,
		 WITH_MSR_TO_WRITE,
		 WITH_PORT,
		 WITH_LANDING, /* an address in another ring */
		 WITH_FRAME,   /* a stack that may be one for IRET */
		 WITH_TASK,    /* the caller makes it */
};
#define ONLY_64  1u /* with a prefix of 64-bit mode */
#define NOT_64   2u
#define ONLY_OLD 4u /* protected mode outside of long mode */
#define ALONE    8u /* not beside other CPUs */
struct insn {
	u8 length, bytes[7];
	u8 with, where;
};
extern const struct insn insns[];
extern const unsigned nr_insns;
/* Accesses at (rdi). */
extern const struct insn accesses[];
extern const unsigned nr_accesses;

/* Where an instruction is to run. */
struct place {
	unsigned bits;
	bool long_mode, protected;
	u64 cr0, cr3, cr4;
	u64 gdt, idt;
	u16 gdt_limit, idt_limit;
	u64 memory;  /* a page to read and write */
	u64 landing; /* code that ends itself, in any ring */
};
struct operands {
	u64 ax, cx, dx, bx, si, di;
};
/* Give @i what it needs. @o->ax, or bx + si for 16-bit code, points to memory. False: it is not for
 * this place. */
bool prepare_insn(struct mcpu *m, const struct insn *i, const struct place *p, struct operands *o);
u32 any_msr(struct mcpu *m);
/* Run one of the table in @ring, as code of @bits, in long mode. False: it is not for there. */
bool run_insn(struct mcpu *m, const struct insn *i, unsigned ring, unsigned bits);

/* RDMSR and WRMSR: the vector that ended them, END_VECTOR if it was no fault. */
u64 do_rdmsr(struct mcpu *m, u32 msr, u64 *value);
u64 do_wrmsr(struct mcpu *m, u32 msr, u64 value);
/* Write @value and @old in one go, so that nothing meets what is between. Returns 0, 1 when @value
 * was refused, 2 when @old was. */
unsigned try_wrmsr(struct mcpu *m, u32 msr, u64 value, u64 old);
/* Why not every value is written to @msr, or NULL; what is written to it instead of @value. */
const char *msr_rule(u32 msr);
u64 msr_value(u32 msr, u64 value, u64 old);

/* ports.c: what is written to @port instead of @value, -1 for nothing; at the first port of a rule,
 * why, else NULL. */
int port_value(u64 port, u8 value);
const char *port_rule(u64 port);
/* Has @port, or one of the three behind it, a rule? */
bool has_rule(u64 port);
/* May @port, and the three behind it, be written at any time and with any value? */
bool may_write_port(u64 port);

/* sweep.c: everything once, in order; each instruction @rounds times in each ring and size of long
 * mode, and by legacy.c in each mode outside of it. Results by ok(). On the first CPU, without
 * NMIs. */
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
/* Glasshouse is there, so there is no VMX. */
extern volatile bool under;
extern bool init_allowed;
extern volatile bool mcpu_up[]; /* NMIs may come */

/* ends.c: reset the machine, by "port64" (the keyboard controller) or "triple" (a triple fault). */
void end_machine(const char *how) __noreturn;
/* Ask Glasshouse to leave: wrongly, @tries times, then rightly. */
void ask_to_leave(struct mcpu *m, unsigned tries);
#endif
#endif
