// SPDX-License-Identifier: MIT
/*
 * Task switches. SDM: "Task Management".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define NT   0x4000
#define VM   0x20000
#define TS   8
#define BUSY 2

struct tss {
	u32 link, stacks[6], cr3, eip, eflags, regs[8], seg[6], ldt, trap;
};

extern u64 legacy_gdt[32];
extern const u8 task_iret[], task_jmp[], task_df[], task_ts[], task_nest[], task16[], on_debug[],
	task_escape[], task_cr3[];
void run_tasks(void);
void run_faulty_tasks(void);
void legacy_call(void (*code32)(void));

u32 *log_next;
u64 idt32[64];
struct tss tss_main, tss_ts, tss_escape;

u32 faulty_directory[1024] __aligned(4096);
static u32 other_directory[1024] __aligned(4096);
/* A table of each, and the pages that they map one after the other. */
u32 moved_tables[2][1024] __aligned(4096);
static u32 moved_pages[4][1024] __aligned(4096);

static u32 log[176];
static struct tss tss[9];
static u16 tss16[22];
static u8 stacks[10][512] __aligned(16);

static void describe(u16 selector, const void *base, u64 limit, u64 type)
{
	u64 at = (u64)base;

	legacy_gdt[selector / 8] = limit | (at & 0xffffff) << 16 | type << 40 | at >> 24 << 56;
}

static void make_task(u16 selector, struct tss *t, const void *entry, u8 *stack)
{
	describe(selector, t, sizeof(*t) - 1, 0x89);
	t->eip = (u32)(u64)entry;
	t->eflags = 2;
	t->regs[4] = (u32)(u64)stack + 512;
	for (unsigned i = 0; i < 6; i++)
		t->seg[i] = i == 1 ? 0x20 : 0x18;
}

static void make_task16(void)
{
	describe(TASK_16, tss16, sizeof(tss16) - 1, 0x81);
	describe(CODE_TASK16, task16, 0xffff, 0x409b);
	describe(DATA_TASK16, stacks[9], 0xffff, 0x93);
	tss16[7] = 0;     /* IP */
	tss16[8] = 2;     /* FLAGS */
	tss16[12] = 0x55; /* BX */
	tss16[13] = 512;  /* SP */
	tss16[17] = 0x18;
	tss16[18] = CODE_TASK16;
	tss16[19] = DATA_TASK16;
	tss16[20] = 0x18;
}

static void make_tasks(void)
{
	describe(TASK_MAIN, &tss_main, sizeof(tss_main) - 1, 0x89);
	make_task(TASK_IRET, &tss[0], task_iret, stacks[0]);
	make_task(TASK_JMP, &tss[1], task_jmp, stacks[1]);
	make_task(TASK_DF, &tss[2], task_df, stacks[2]);
	make_task(TASK_NEST, &tss[3], task_nest, stacks[3]);
	make_task(TASK_BAD_SS, &tss[4], task_jmp, stacks[4]);
	tss[4].seg[2] = 0x20; /* SS is a code segment */
	/* A virtual-8086 task whose LDT selector is bad, and a task of ring 3 with a stack of ring
	 * 0. */
	make_task(TASK_V86, &tss[6], task_jmp, stacks[7]);
	tss[6].eflags |= VM;
	tss[6].ldt = 0x18;
	make_task(TASK_RING3, &tss[7], task_jmp, stacks[8]);
	legacy_gdt[CODE_RING3 / 8] = 0x00cffb000000ffff;
	tss[7].seg[1] = CODE_RING3 | 3;
	make_task(TASK_TRAP, &tss[5], task_jmp, stacks[5]);
	tss[5].trap = 1;
	make_task(TASK_TS, &tss_ts, task_ts, stacks[6]);
	make_task16();
	idt32[1] = ((u64)on_debug & 0xffff) | 0x20ull << 16 | 0x8e00ull << 32 |
		   (u64)on_debug >> 16 << 48;
	idt32[8] = (u64)TASK_DF << 16 | 0x8500ull << 32;
	idt32[10] = (u64)TASK_TS << 16 | 0x8500ull << 32;
	idt32[GATE_VECTOR] = (u64)TASK_IRET << 16 | 0x8500ull << 32;
}

/* #GP, #UD and #PF switch to the task with the bad SS; #TS and #DF, which this causes, to tasks
 * that return to the first one. */
static void make_faulty_tasks(void)
{
	struct tss *const with_paging[] = {&tss_main, &tss[4], &tss_ts, &tss_escape};

	for (u32 i = 0; i < 1024; i++)
		faulty_directory[i] = i == NOT_THERE >> 22 ? 0 : i << 22 | 0x83;
	for (unsigned i = 0; i < ARRAY_SIZE(with_paging); i++)
		with_paging[i]->cr3 = (u32)(u64)faulty_directory;
	memcpy(other_directory, faulty_directory, sizeof(other_directory));
	faulty_directory[MOVED >> 22] = (u32)(u64)moved_tables[0] | 3;
	other_directory[MOVED >> 22] = (u32)(u64)moved_tables[1] | 3;
	for (u32 i = 0; i < 4; i++)
		moved_pages[i][0] = i + 1;
	moved_tables[0][0] = (u32)(u64)moved_pages[0] | 3;
	moved_tables[1][0] = (u32)(u64)moved_pages[2] | 3;
	make_task(TASK_CR3, &tss[8], task_cr3, stacks[0]);
	tss[8].cr3 = (u32)(u64)other_directory;
	describe(TASK_MAIN, &tss_main, sizeof(tss_main) - 1, 0x89);
	make_task(TASK_BAD_SS, &tss[4], task_jmp, stacks[4]);
	tss[4].seg[2] = 0x20;
	make_task(TASK_TS, &tss_ts, task_escape, stacks[6]);
	make_task(TASK_ESCAPE, &tss_escape, task_escape, stacks[2]);
	tss_ts.link = tss_escape.link = 0;
	idt32[UD_VECTOR] = idt32[GP_VECTOR] = idt32[PF_VECTOR] =
		(u64)TASK_BAD_SS << 16 | 0x8500ull << 32;
	idt32[DF_VECTOR] = (u64)TASK_ESCAPE << 16 | 0x8500ull << 32;
}

static const u32 *next;

/* Check the next @n values of the log. */
static void logged(const char *what, const u32 *want, unsigned n)
{
	bool same = true;

	for (unsigned i = 0; i < n; i++)
		same &= next[i] == want[i];
	ok(same, "%s", what);
	for (unsigned i = 0; !same && i < n; i++)
		say("#   %x, should be %x\n", next[i], want[i]);
	next += n;
}

#define LOGGED(what, ...) \
	logged(what, (const u32[]){__VA_ARGS__}, sizeof((const u32[]){__VA_ARGS__}) / 4)

void check_tasks(void)
{
	log_next = log;
	next = log;
	make_tasks();
	legacy_call(run_tasks);

	LOGGED("JMP to a task", 0, TASK_JMP, TS, 0, 0);
	LOGGED("JMP back", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("DR7: local breakpoints are off in a new task", 0x400);
	LOGGED("CALL of a task", NT, TASK_IRET, TS, BUSY, BUSY);
	LOGGED("IRET from it", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("CALL of another", NT, TASK_NEST, TS, BUSY, 0);
	LOGGED("CALL within it", NT, TASK_IRET, TS, BUSY, BUSY);
	LOGGED("IRET to it", NT, TASK_NEST, TS, BUSY, 0);
	LOGGED("IRET from it", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("INT through a task gate", NT, TASK_IRET, TS, BUSY, BUSY);
	LOGGED("IRET after the INT", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("a 16-bit task: TR, SP, BX", TASK_16, 512, 0x55);
	LOGGED("after it, EBX is unchanged", 0x12345678);
	LOGGED("and TR, TS and busy bits are the first task's", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("#DF through a task gate: its error code, the EIP of the fault", 0, 4);
	LOGGED("its task", NT, TASK_DF, TS, BUSY, 0);
	LOGGED("IRET from it", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("#TS in a task with a bad SS: its error code, the task that failed", 0x20,
	       TASK_BAD_SS);
	LOGGED("its task", NT, TASK_TS, TS, 0, 0);
	LOGGED("JMP back", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("#TS in a virtual-8086 task with a bad LDT", 0x18, TASK_V86);
	LOGGED("its task", NT, TASK_TS, TS, 0, 0);
	LOGGED("JMP back", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("#TS in a task of ring 3 with a stack of ring 0", 0x18, TASK_RING3);
	LOGGED("its task", NT, TASK_TS, TS, 0, 0);
	LOGGED("JMP back", 0, TASK_MAIN, TS, BUSY, 0);
	LOGGED("the T bit: DR6.BT, before the first instruction", 0x8000, 0);
	LOGGED("then the task", 0, TASK_JMP + 0x20, TS, 0, 0);
	LOGGED("JMP back", 0, TASK_MAIN, TS, BUSY, 0);

	make_faulty_tasks();
	legacy_call(run_faulty_tasks);
	LOGGED("#GP to a task with a bad SS is #DF", TASK_ESCAPE, 0, TASK_BAD_SS);
	LOGGED("#UD to it is #TS", TASK_TS, 0x21, TASK_BAD_SS);
	LOGGED("#PF to it is #DF", TASK_ESCAPE, 0, TASK_BAD_SS);
	LOGGED("before a task with another CR3", 1, (u32)(u64)faulty_directory);
	LOGGED("in it", 3, (u32)(u64)other_directory);
	LOGGED("JMP back", 1, (u32)(u64)faulty_directory);
	LOGGED("in it, when its tables have changed", 4, (u32)(u64)other_directory);
	LOGGED("JMP back, when these have changed", 2, (u32)(u64)faulty_directory);
	ok(next == log_next, "and nothing else happened");
}
