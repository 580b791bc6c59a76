/* SPDX-License-Identifier: MIT */
/*
 * Types and functions that the files of the monkey share; constants for its assembly.
 */
#ifndef MONKEY_H
#define MONKEY_H

#define M_SIZE   0x4000 /* size of struct mcpu; then offsets in it */
#define M_RIP    0x78
#define M_CS     0x80
#define M_RFLAGS 0x88
#define M_RSP    0x90
#define M_SS     0x98
#define M_DATA   0xa0
#define M_SAVED  0xa8
#define M_NMIS   0xb0
#define M_STREAM 0xb8

#define SLOT                                                                                 \
	32 /* bytes of a slot of a stream: an instruction, and the code that loads registers \
	    */

#define END_VECTOR 3 /* INT3 ends the code under test, in any ring */

#ifndef __ASSEMBLER__
#include "bits.h"

/* The windows: 64 KiB of user pages for each CPU, at these linear addresses. Then selectors. */
#define WINDOW       0xc0000000ull
#define WINDOW_SIZE  0x10000ull
#define CODE64(ring) ((2 + 2 * (ring)) * 8 + (ring))
#define DATA(ring)   ((3 + 2 * (ring)) * 8 + (ring))
#define CODE32(ring) ((10 + (ring)) * 8 + (ring))
#define CODE16(ring) ((14 + (ring)) * 8 + (ring))
#define TSS_SEL      (18 * 8)
#define BUFFER16     0xc000 /* linear address to which BX + SI points in 16-bit code */

struct gate {
	u16 low, selector, flags, mid;
	u32 high, zero;
};
extern struct gate idt[256];

enum reg { R15, R14, R13, R12, R11, R10, R9, R8, RDI, RSI, RBP, RBX, RDX, RCX, RAX, NR_REGS };

/* How the code under test ended: the frame that the CPU and the stubs push. */
struct frame {
	u64 regs[NR_REGS];
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

/* The state of the monkey on one CPU. run.S knows the offsets of the first fields. */
struct mcpu {
	u64 in[NR_REGS]; /* registers for the code under test */
	u64 rip, cs, rflags, rsp, ss;
	u64 data;  /* the selector for DS, ES, FS, GS */
	u64 saved; /* the monkey's RSP while the code under test runs, else 0 */
	u64 nmis;
	u64 stream; /* the page of the stream that is running, or 0 */

	u64 seed;
	u32 cpu;
	u64 done;     /* number of actions */
	u64 ends[32]; /* how often each vector ended code under test; 31: all above */
	u8 *code;     /* this CPU's window */
	u64 cr0, cr4, apic_base;
	u64 has_xsave;
	u64 slots, stream_cr0; /* of the stream that is being built: its length, its last CR0 */
	u64 gdt[24];
	u8 tss[104];
	u8 space[M_SIZE - 8 * (NR_REGS + 19 + 32 + 24) - 104] __aligned(16); /* two stacks */
} __aligned(M_SIZE);

/* The local APIC's timer ends code under test after this number of its ticks. */
extern u32 patience;

/* run.S: run the code that @m describes. Returns how it ended. */
struct frame *run(struct mcpu *m);
/* An exception that the code under test did not cause: ends the guest. */
void unexpected_exception(struct frame *frame) __noreturn;

/* actions.c: execute one random action. */
void act(struct mcpu *m);
/* tables.c: change and use random page tables. Half of all actions, if with_tables is set. */
extern bool with_tables;
void do_tables(struct mcpu *m);
/* A pseudo-random number; true once in @n calls on average. */
u64 rnd(struct mcpu *m);
bool one_in(struct mcpu *m, u64 n);
/* A random 64-bit value: small, a single bit, near a power of two, in the window, or any. */
u64 any(struct mcpu *m);

/* Run the @n bytes at @code in @ring, as 64-, 32- or 16-bit code, with the registers @m->in.
 * Returns how it ended: at the latest by the timer's interrupt. run_quiet() runs in ring 0, 64
 * bits, without interrupts and single-steps: for code that ends by itself. */
struct frame *run_code(struct mcpu *m, const void *code, unsigned n, unsigned ring, unsigned bits);
struct frame *run_quiet(struct mcpu *m, const void *code, unsigned n);
/* As run_quiet(), but run the code that is at @page already, with @rflags set in addition. */
struct frame *run_at(struct mcpu *m, void *page, u64 rflags);

/*
 * stream.c: many instructions in one run, in ring 0 of 64-bit mode. A fault continues with the next
 * one. stream_add() appends an instruction of @n bytes, at most 8, with its registers; stream_run()
 * runs the stream @times times, if @step with TF set, and empties it.
 */
struct slot {
	u32 cx, ax, dx, di;
	unsigned n;
	u8 code[8];
};
void stream_add(struct mcpu *m, const struct slot *slot);
void stream_run(struct mcpu *m, unsigned times, bool step);
#define STREAM_SLOTS 120 /* the maximum number of slots */

/* Load this CPU's GDT, IDT and TSS. */
void load_tables(struct mcpu *m);
/* Prepare this CPU for run_code(): these tables, MSRs, the timer. */
void start_monkey(unsigned cpu);

/* insns.c: the instructions under test. */
enum insn_with { /* what an instruction needs in registers or memory; the others are random */
		 WITH_ANY,
		 WITH_CR0,
		 WITH_CR3,
		 WITH_CR4,
		 WITH_DR,
		 WITH_LMSW,
		 WITH_SELECTOR,
		 WITH_SS,
		 WITH_GDT,
		 WITH_IDT,
		 WITH_MSR,
		 WITH_MSR_TO_WRITE,
		 WITH_PORT,
		 WITH_LANDING, /* the address to continue at in another ring */
		 WITH_FRAME,   /* a random frame for IRET or RETF on the stack */
		 WITH_TASK,    /* a task, which the caller makes */
};
/* Where an instruction is run: */
#define ONLY_64     1u /* 64-bit mode only */
#define NOT_64      2u /* not in 64-bit mode */
#define ONLY_LEGACY 4u /* protected mode outside of long mode only */
#define ONE_CPU     8u /* only in a guest of one CPU */
struct insn {
	u8 length, bytes[7];
	u8 with, where;
};
extern const struct insn insns[];
extern const unsigned nr_insns;
/* Instructions that access memory at (rdi). */
extern const struct insn accesses[];
extern const unsigned nr_accesses;

/* The mode in which an instruction is to run, and the addresses that it may use. */
struct place {
	unsigned bits;
	bool long_mode, protected;
	u64 cr0, cr3, cr4;
	u64 gdt, idt;
	u16 gdt_limit, idt_limit;
	u64 memory;  /* a page that may be read and written */
	u64 landing; /* code that executes INT3, accessible in any ring */
};
struct operands {
	u64 ax, cx, dx, bx, si, di;
};
/* Set what @i needs in @o and in memory. @o->ax, or bx + si for 16-bit code, points to memory.
 * False if @i must not run at @p. */
bool prepare_insn(struct mcpu *m, const struct insn *i, const struct place *p, struct operands *o);
u32 any_msr(struct mcpu *m);
/* Run @i in @ring, as code of @bits, in long mode. False if it must not run there. */
bool run_insn(struct mcpu *m, const struct insn *i, unsigned ring, unsigned bits);

/* Execute RDMSR or WRMSR. Return the vector that ended it, END_VECTOR without a fault. */
u64 do_rdmsr(struct mcpu *m, u32 msr, u64 *value);
u64 do_wrmsr(struct mcpu *m, u32 msr, u64 value);
/* Write @value and then @old, with nothing in between that could depend on @value. Returns 0; 1 if
 * the write of @value faulted, 2 if that of @old did. */
unsigned try_wrmsr(struct mcpu *m, u32 msr, u64 value, u64 old);
/* The reason why not every value may be written to @msr, or NULL; the value to write instead of
 * @value, with the bits of @old that must be kept. */
const char *msr_rule(u32 msr);
u64 msr_value(u32 msr, u64 value, u64 old);

/* ports.c: the value to write to @port instead of @value, or -1 if it must not be written. */
int port_value(u64 port, u8 value);
/* The reason of the rule whose first port is @port, or NULL. */
const char *port_rule(u64 port);
/* True if there is a rule for one of the four ports from @port on. */
bool has_rule(u64 port);
/* True if the four ports from @port on may be written at any time and with any value. */
bool may_write_port(u64 port);

/* sweep.c: test all CPUID leaves, MSRs, ports, instructions and memory in order; each instruction
 * @rounds times in each ring and code size of long mode, and (legacy.c) in each mode outside of
 * long mode. Reports results by ok(). Runs on the first CPU, without NMIs. */
void sweep(struct mcpu *m, unsigned rounds);
void legacy_sweep(struct mcpu *m, unsigned rounds);

/* The ranges of Glasshouse's memory, and the largest of them; none without Glasshouse. */
#define MAX_HOLES 8
struct hole {
	u64 start, size;
};
extern struct hole holes[MAX_HOLES];
extern unsigned nr_holes;
extern u64 hole_start, hole_size;
extern unsigned monkey_cpus;
/* The guest runs under Glasshouse and will not ask it to leave: VMX instructions are #UD. */
extern volatile bool under_hypervisor;
extern bool init_allowed;
extern volatile bool mcpu_up[]; /* the CPU is ready for NMIs */

/* ends.c: reset the machine, by "port64" (the keyboard controller) or "triple" (a triple fault). */
void end_machine(const char *how) __noreturn;
/* Ask Glasshouse to leave: @tries times with a wrong call, then with the right one. */
void ask_to_leave(struct mcpu *m, unsigned tries);
#endif
#endif
