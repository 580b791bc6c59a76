// SPDX-License-Identifier: MIT
/*
 * Jumps to a task whose TSS descriptor CPU 1 changes all the time. Each jump either switches or
 * faults, whenever the change comes. SDM: "Task Switching".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"

#define AVAILABLE   0x89
#define NOT_PRESENT 0x09
#define NO_TSS      0x80
#define NONSENSE    0x1f /* neither of the two in any bit that a TR must have */
#define ACCESS      5    /* the byte of a descriptor that has type and P */

struct tss {
	u32 link, stacks[6], cr3, eip, eflags, regs[8], seg[6], ldt, trap;
};

extern u64 legacy_gdt[32], idt32[64];
extern const u8 race_task[], race_fault[];
void run_race(void);
void legacy_call(void (*code32)(void));

volatile u32 race_jumps, race_faults, race_strange, race_over;
static struct tss tss_first, tss_other;
static u8 stack[512] __aligned(16);

static void describe(u16 selector, const void *base, u64 limit)
{
	u64 at = (u64)base;

	legacy_gdt[selector / 8] =
		limit | (at & 0xffffff) << 16 | (u64)AVAILABLE << 40 | at >> 24 << 56;
}

/* Vary the pause, so that the change hits every point of the exit. */
static void changer(unsigned cpu)
{
	static const u8 values[] = {NO_TSS, NOT_PRESENT, NONSENSE};
	volatile u8 *access = (volatile u8 *)legacy_gdt + TASK_OTHER + ACCESS;

	(void)cpu;
	for (u32 i = 0; !race_over; i++) {
		*access = values[i % ARRAY_SIZE(values)];
		for (volatile u32 pause = 0; pause < i % 61; pause++)
			;
		*access = AVAILABLE;
		for (volatile u32 pause = 0; pause < i % 127; pause++)
			;
	}
}

void check_race(void)
{
	struct ap_state state;

	if (!ap_boot(1, &state)) {
		ok(false, "CPU 1 starts");
		return;
	}
	describe(TASK_FIRST, &tss_first, sizeof(tss_first) - 1);
	describe(TASK_OTHER, &tss_other, sizeof(tss_other) - 1);
	tss_other.eip = (u32)(u64)race_task;
	tss_other.eflags = RFLAGS_FIXED;
	tss_other.regs[4] = (u32)(u64)stack + sizeof(stack);
	for (unsigned i = 0; i < 6; i++)
		tss_other.seg[i] = i == 1 ? 0x20 : 0x18;
	for (unsigned v = TS_VECTOR; v <= GP_VECTOR; v++)
		idt32[v] = ((u64)race_fault & 0xffff) | 0x20ull << 16 | 0x8e00ull << 32 |
			   (u64)race_fault >> 16 << 48;
	ap_start_job(1, changer);
	legacy_call(run_race);
	race_over = 1;
	ok(ap_wait(1), "CPU 1 has changed a TSS descriptor all the time");
	say("# of %u jumps to the task, %u faulted\n", race_jumps, race_faults);
	ok(race_jumps == RACE_JUMPS && race_faults && race_faults < RACE_JUMPS,
	   "jumps to it switch or fault");
	ok(!race_strange, "the error code names it");
}
