// SPDX-License-Identifier: MIT
/*
 * Requests to leave when Glasshouse cannot: it refuses, and returns why (docs/hypercalls.md).
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"

void legacy_call(void (*code32)(void));
void leave_wait32(void);

extern const u8 ask_handler[];

const u64 leave_call = HYPERCALL_LEAVE; /* used by ask_handler */
volatile s64 nmi_answer;
volatile u32 leave_go; /* tells the CPU in 32-bit mode to return */
static volatile u64 ask_time;
static volatile s64 other_answer;

asm("	.text\n"
    "	.code32\n"
    "leave_wait32:\n"
    "	cmpl $0, leave_go\n"
    "	je leave_wait32\n"
    "	ret\n"
    "	.code64\n"
    "ask_handler:\n"
    "	pushq %rax\n"
    "	movq leave_call, %rax\n"
    "	vmcall\n"
    "	movq %rax, nmi_answer\n"
    "	popq %rax\n"
    "	iretq\n");

static s64 ask(void)
{
	u64 answer = HYPERCALL_LEAVE;

	asm volatile("vmcall" : "+a"(answer) : : "memory");
	return (s64)answer;
}

static void wait32(unsigned cpu)
{
	(void)cpu;
	legacy_call(leave_wait32);
}

/* The job of the second CPU that asks at ask_time. */
static void ask_at_time(unsigned cpu)
{
	(void)cpu;
	while (rdtsc() < ask_time)
		;
	other_answer = ask();
}

/* The number of entries in use in the upper half of the PML4 table. */
static unsigned upper_half(void)
{
	const u64 *pml4 = (const u64 *)(read_cr3() & PAGE_MASK);
	unsigned n = 0;

	for (unsigned i = 256; i < 512; i++)
		n += pml4[i] != 0;
	return n;
}

/* Ask from an NMI handler: the call must return in the handler, not after its IRET. */
static s64 ask_in_nmi(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed idtr;

	asm volatile("sidt %0" : "=m"(idtr));
	nmi_answer = 1;
	load_idt(NMI_VECTOR, ask_handler);
	apic_send(0, ICR_NMI);
	while (nmi_answer == 1)
		cpu_relax();
	asm volatile("lidt %0" : : "m"(idtr));
	return nmi_answer;
}

void check_leave(void)
{
	unsigned before = upper_half();
	s64 answer;

	leave_go = 0;
	ap_start_job(1, wait32);
	ask_time = rdtsc() + 100000;
	ap_start_job(2, ask_at_time);
	while (rdtsc() < ask_time)
		;
	answer = ask();
	ok(ap_wait(2), "both CPUs that asked continue");
	ok(answer == -EOPNOTSUPP || other_answer == -EOPNOTSUPP,
	   "Glasshouse does not leave while a CPU is in 32-bit mode");
	ok(answer == -EBUSY || other_answer == -EBUSY, "and not by two CPUs at once");
	leave_go = 1;
	ok(ap_wait(1), "the CPU in 32-bit mode continues");
	kick_time = rdtsc() + 1000;
	ap_start_job(2, block_nmis);
	wait_ticks(10000);
	ok(ask() == -EBUSY, "nor while a CPU has NMIs blocked");
	ok(ask_in_nmi() == -EBUSY, "nor in an NMI handler");
	ok(upper_half() == before, "a refusal leaves the page tables as they were");
	ok(under_glasshouse(), "Glasshouse has not left");
}

void check_leave_without_apic(void)
{
	wrmsr(MSR_IA32_APICBASE, rdmsr(MSR_IA32_APICBASE) & ~APICBASE_ENABLE);
	ok(ask() == -EOPNOTSUPP, "nor on a CPU whose local APIC is off");
}
