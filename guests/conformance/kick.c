// SPDX-License-Identifier: MIT
/*
 * INIT to a CPU with blocked NMIs, at every point of a VM exit and entry. The hypervisor must force
 * a VM exit without waiting for the IRET that unblocks NMIs. Also: INIT during an interrupt.
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define CPUID_AT 6600 /* ticks after the start of a trial */
#define AROUND   500  /* INIT is sent by up to so many ticks before and after that */
#define STEP     5
#define GATE     0x8e0000100000ull /* present, interrupt gate, selector 10h */

#define IVT_NMI 8ul /* the real-mode vector 2 */
#define TRAP_AT (AP_BASE + 0xf00)

extern const u8 kick_handler[], hold_handler[];
volatile u64 kick_time;
volatile u32 kick_count;

static struct {
	u64 low, high;
} nmi_idt[IPI_VECTOR + 1] __aligned(16);

/* The NMI handler executes CPUID at kick_time, then counts for ever. */
asm("	.text\n"
    "kick_handler:\n"
    "	movl $1, kick_count\n"
    "1:	rdtsc\n"
    "	shlq $32, %rdx\n"
    "	orq %rdx, %rax\n"
    "	movq kick_time, %rcx\n"
    "	testq %rcx, %rcx\n"
    "	jz 1b\n"
    "	cmpq %rcx, %rax\n"
    "	jb 1b\n"
    "	xorl %eax, %eax\n"
    "	cpuid\n"
    "2:	incl kick_count\n"
    "	jmp 2b\n"
    /* An interrupt handler that never returns. */
    "hold_handler:\n"
    "	movl $1, kick_count\n"
    "1:	pause\n"
    "	jmp 1b\n");

/* By IRET. Needed because Bochs keeps NMIs blocked across INIT. */
static void unblock_nmis(void)
{
	asm volatile("mov %%rsp, %%rax\n\t"
		     "pushq $0x18\n\t"
		     "pushq %%rax\n\t"
		     "pushfq\n\t"
		     "pushq $0x10\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "iretq\n"
		     "1:"
		     :
		     :
		     : "rax", "memory", "cc");
}

void load_idt(unsigned vector, const u8 *handler)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = {sizeof(nmi_idt) - 1, (u64)nmi_idt};
	u64 at = (u64)handler;

	nmi_idt[vector].low = (at & 0xffff) | GATE | at >> 16 << 48;
	asm volatile("lidt %0" : : "m"(pointer));
}

void block_nmis(unsigned cpu)
{
	load_idt(NMI_VECTOR, kick_handler);
	unblock_nmis();
	apic_send(cpu, ICR_NMI);
	for (;;)
		cpu_relax();
}

static volatile bool nmi_awaited;

static void await_nmi(unsigned cpu)
{
	(void)cpu;
	unblock_nmis();
	nmi_awaited = true;
	while (nmi_awaited)
		cpu_relax();
}

/* An NMI that is sent arrives, and no other. */
static bool takes_nmi(unsigned cpu)
{
	u64 nmis = trap.nmis;

	nmi_awaited = false;
	ap_start_job(cpu, await_nmi);
	for (unsigned i = 0; i < 100 && !nmi_awaited; i++)
		wait_ticks(1000);
	apic_send(cpu, ICR_NMI);
	wait_ticks(5000);
	nmi_awaited = false;
	return ap_wait(cpu) && trap.nmis == nmis + 1;
}

void check_quick_start(unsigned cpu, u64 ticks)
{
	bool starts = true, nmis = true;
	u64 at = ticks;

	while (at < ticks + 2000) {
		starts = ap_boot_once(cpu, at, false);
		nmis = starts && takes_nmi(cpu);
		if (!nmis) {
			say("# %llu ticks\n", (unsigned long long)at);
			break;
		}
		at += at < ticks + 200 ? 1 : 7;
	}
	ok(starts, "cpu %u: a SIPI soon after its INIT starts it", cpu);
	ok(nmis, "cpu %u: then it takes an NMI", cpu);
}

/* A job that never returns from an interrupt handler. */
static void hold_interrupt(unsigned cpu)
{
	load_idt(IPI_VECTOR, hold_handler);
	apic_send(cpu, IPI_VECTOR);
	asm volatile("sti");
	for (;;)
		cpu_relax();
}

static volatile bool interrupt_left;

static void look_for_interrupts(unsigned cpu)
{
	(void)cpu;
	interrupt_left = apic_read(0xa0);
	for (u32 at = 0x100; at < 0x280; at += 0x10)
		interrupt_left |= apic_read(at) && (at < 0x180 || at >= 0x200);
}

void check_init(unsigned cpu, bool trapped)
{
	static const u8 stop[] = {0xfa, 0xf4, 0xeb, 0xfd}; /* CLI; HLT; again */
	volatile u32 *vector = (volatile u32 *)IVT_NMI;
	struct ap_state state;
	u32 old;

	/* Hide from GCC that the address is in the first page, which it takes for a null pointer.
	 */
	asm("" : "+r"(vector));
	old = *vector;
	kick_count = 0;
	ap_start_job(cpu, hold_interrupt);
	for (unsigned i = 0; i < 100 && !kick_count; i++)
		wait_ticks(1000);
	ok(kick_count == 1, "cpu %u: is in an interrupt handler", cpu);
	apic_send(cpu, ICR_INIT);
	wait_ticks(10000);
	ap_start_job(cpu, NULL);
	ok(ap_boot(cpu, &state) && ap_run(cpu, look_for_interrupts) && !interrupt_left,
	   "cpu %u: INIT also clears the local APIC's ISR and IRR", cpu);
	if (!trapped) {
		skip("Bochs keeps it pending", "cpu %u: an NMI while it waits for a SIPI is lost",
		     cpu);
		return;
	}
	memcpy((void *)TRAP_AT, stop, sizeof(stop));
	*vector = TRAP_AT >> 4 << 16;
	ok(ap_boot_once(cpu, 10000, true), "cpu %u: an NMI while it waits for a SIPI is lost", cpu);
	*vector = old;
}

/* Send INIT to @cpu after @at ticks, and start it again. Returns kick_count when it stopped: 1
 * before its CPUID, more after it; 0 if it did not stop. @back: whether it could be started. */
static u32 stops(unsigned cpu, u64 at, bool *back)
{
	struct ap_state state;
	u64 start;
	u32 count;

	kick_count = 0;
	kick_time = 0;
	ap_start_job(cpu, block_nmis);
	for (unsigned i = 0; i < 100 && !kick_count; i++)
		wait_ticks(1000);
	start = rdtsc();
	kick_time = start + CPUID_AT;
	wait_ticks(at);
	apic_send(cpu, ICR_INIT);
	wait_ticks(10000);
	count = kick_count;
	wait_ticks(1000);
	if (count != kick_count)
		count = 0;
	ap_start_job(cpu, NULL);
	*back = ap_boot(cpu, &state);
	return count;
}

/* After how many ticks an INIT that is sent meets the CPUID. That depends on what a write to the
 * local APIC costs, so it is searched for. */
static u64 meets_cpuid(unsigned cpu, bool *back)
{
	u64 low = 0, high = CPUID_AT;

	while (*back && high - low > STEP) {
		u64 middle = (low + high) / 2;

		if (stops(cpu, middle, back) == 1)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void check_kick(unsigned cpu)
{
	unsigned before = 0, after = 0, never = 0;
	bool back = true;
	u64 meets = meets_cpuid(cpu, &back), first = meets > AROUND ? meets - AROUND : 0;

	for (u64 at = first; back && at < meets + AROUND; at += STEP) {
		u32 count = stops(cpu, at, &back);

		before += count == 1;
		after += count > 1;
		never += !count;
	}
	ok(back && before && after, "cpu %u: INIT arrives before its CPUID and after it", cpu);
	ok(back && !never, "cpu %u: and always stops it", cpu);
	say("# %u times before, %u after, %u never; sent after about %llu ticks\n", before, after,
	    never, (unsigned long long)meets);
}
