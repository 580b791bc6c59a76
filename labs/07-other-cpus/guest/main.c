// SPDX-License-Identifier: MIT
/*
 * The guest of lab 7, on two CPUs: it asks the check (CPUID, LEAF in EAX) to test kicks of CPU 1,
 * and to call it at random times: while it executes code without exits, with exits, and while it
 * waits for a SIPI. And it starts CPU 1 many times.
 *
 * Command line: seed=N, of the random times; rounds=N. stay=1: at its end it waits for a q on COM1.
 */
#include "guests/lib/guest.h"
#include "guests/lib/random.h"

#include "arch/x86/cpu.h"

#define LEAF  0x4c414237u /* as in check.c */
#define CALLS 20

static volatile bool stop;
static volatile u8 exits;
static volatile u64 beats;
static u64 state;

static void ask(u64 calls)
{
	u64 rax = LEAF, rbx = calls;

	asm volatile("cpuid" : "+a"(rax), "+b"(rbx) : "S"((u64)&exits) : "rcx", "rdx", "memory");
}

static void loop(unsigned cpu)
{
	(void)cpu;
	while (!stop) {
		beats++;
		if (exits)
			cpuid(0, 0);
		cpu_relax();
	}
}

/* Does CPU 1 run the guest's code? */
static bool beats_on(void)
{
	u64 before = beats;

	for (unsigned i = 0; i < 1000 && beats - before < 10; i++)
		wait_ticks(1000);
	return beats - before >= 10;
}

/* Start CPU 1 by INIT and SIPI at random times, and let the check call it before and after that.
 * Returns false if it does not run afterwards. */
static bool one_round(void)
{
	u64 random = xorshift64(&state);

	stop = false;
	exits = random & 1;
	apic_send(1, ICR_INIT);
	wait_ticks(random >> 8 & 0x7ff);
	if (random & 2)
		ask(CALLS);
	if (!ap_boot_once(1, random >> 20 & 0x7ff, random & 4))
		return false;
	ap_start_job(1, loop);
	if (!beats_on())
		return false;
	ask(CALLS);
	if (!beats_on())
		return false;
	stop = true;
	return ap_wait(1);
}

void guest_main(void)
{
	u64 rounds = param_number("rounds", 200), i = 0;
	struct ap_state ap;
	bool good = true;

	state = param_number("seed", 1) << 1 | 1;
	apic_init(false);
	ok(ap_boot(1, &ap), "CPU 1 starts");
	ap_start_job(1, loop);
	ok(beats_on(), "it runs");
	ask(0);
	ok(beats_on(), "it runs after the test of kicks");
	stop = true;
	ap_wait(1);
	for (; good && i < rounds; i++)
		good = one_round();
	if (good)
		ok(true, "%llu INITs and SIPIs at random times: CPU 1 starts each time",
		   (unsigned long long)rounds);
	else
		ok(false, "INIT and SIPI number %llu: CPU 1 does not start, or stands still",
		   (unsigned long long)i);
	plan();
	while (param_number("stay", 0) && typed() != 'q')
		cpu_relax();
}
