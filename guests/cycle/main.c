// SPDX-License-Identifier: MIT
/*
 * Exits of each kind, again and again, at instructions whose addresses it prints: CPUID, a port and
 * a page fault on the first CPU, CPUID on the second; an access to a GiB that no memory map
 * describes soon after each t on COM1. A q ends it.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"

#define PAUSE_TICKS 20000
#define TOUCH_AFTER 100 /* rounds: so that what is typed at the same time comes before */
#define CMOS_INDEX  "0x70"

void exit_by_cpuid(void), exit_by_cpuid_too(void), exit_by_port(void), exit_by_touch(u64 address);
extern const char at_cpuid[], at_cpuid_too[], at_port[], at_touch[], at_fault[];
asm("	.text\n"
    "exit_by_cpuid:\n"
    "	pushq %rbx\n"
    "	xorl %eax, %eax\n"
    "at_cpuid:\n"
    "	cpuid\n"
    "	popq %rbx\n"
    "	ret\n"
    "exit_by_cpuid_too:\n"
    "	pushq %rbx\n"
    "	xorl %eax, %eax\n"
    "at_cpuid_too:\n"
    "	cpuid\n"
    "	popq %rbx\n"
    "	ret\n"
    "exit_by_port:\n"
    "at_port:\n"
    "	inb $" CMOS_INDEX ", %al\n"
    "	ret\n"
    "exit_by_touch:\n"
    "at_touch:\n"
    "	movl (%rdi), %eax\n"
    "	ret\n");

static volatile bool end;

static void second_cpu(unsigned cpu)
{
	(void)cpu;
	while (!end) {
		exit_by_cpuid_too();
		wait_ticks(PAUSE_TICKS);
	}
}

static __noinline void fault(void)
{
	TRY("at_fault: movl (%0), %%eax", : : "r"(TEST_PAGES) : "rax", "r11", "memory");
}

void guest_main(void)
{
	struct ap_state state;
	u64 touched = GIB(5);
	unsigned rounds = 0; /* until it touches */

	apic_init(false);
	map_above_4g();
	set_page(0, 0);
	say("# cpuid %lx\n# cpuid_too %lx\n# port %lx\n# touch %lx\n# fault %lx\n", (u64)at_cpuid,
	    (u64)at_cpuid_too, (u64)at_port, (u64)at_touch, (u64)at_fault);
	if (!ap_boot(1, &state))
		bail_out("the second CPU does not start");
	ap_start_job(1, second_cpu);
	say("# ready\n");
	while (!end) {
		char key = typed();

		exit_by_cpuid();
		exit_by_port();
		fault();
		wait_ticks(PAUSE_TICKS);
		if (key == 't')
			rounds = TOUCH_AFTER;
		if (rounds && !--rounds) {
			exit_by_touch(touched);
			touched += GIB(1);
		}
		end = key == 'q';
	}
	ok(ap_wait(1), "the second CPU ends");
	plan();
}
