// SPDX-License-Identifier: MIT
/*
 * The conformance guest: does a CPU under Glasshouse do what the SDM says? It runs without
 * Glasshouse too; what exists only under it is skipped there then.
 *
 * Command line: cpus=N, apic=x2 (x2APIC mode), again=1 (start each CPU twice), kick=1 (INIT at
 * any time), leave=1 (ask Glasshouse to leave, with 3 CPUs), pushes=1
 * (to Glasshouse's memory, with its option reserve=32M), mce=N (so many machine checks come, with
 * its option provoke=mc), end=HOW (another end than power-off, see below).
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "lib/string.h"

bool hosted;

static const char *mode;

static void check_cpu(unsigned cpu)
{
	check_features(cpu);
	check_msrs(cpu);
	check_control_registers(cpu);
	check_state(cpu);
	check_events(cpu);
	check_memory(cpu);
}

/* Starts another CPU; what it starts with is as in the SDM's table for INIT. */
static void start_cpu(unsigned cpu)
{
	struct ap_state s = {0};

	ok(ap_boot(cpu, &s), "cpu %u: starts by INIT-SIPI (%s)", cpu, mode);
	ok(s.cs == AP_BASE >> 4, "cpu %u: CS is the vector's", cpu);
	ok(s.ds == 0, "cpu %u: DS is 0", cpu);
	if (hosted)
		ok(s.edx == cpuid(1, 0).eax, "cpu %u: EDX is the CPU's signature", cpu);
	else
		skip("Bochs leaves 0", "cpu %u: EDX is the CPU's signature", cpu);
	ok((s.cr0 & ~(CR0_CD | CR0_NW)) == CR0_ET, "cpu %u: CR0 is 10h but for CD and NW", cpu);
	ok(s.cr4 == 0, "cpu %u: CR4 is 0", cpu);
	ok(s.eflags == 2, "cpu %u: EFLAGS is 2", cpu);
}

static void check_quick_start(unsigned cpu)
{
	bool all = true;

	for (u64 ticks = 0; all && ticks <= 2000; ticks += 7)
		all = ap_boot_once(cpu, ticks, false);
	ok(all, "cpu %u: a SIPI close behind its INIT starts it", cpu);
}

static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = {0, 0};

	asm volatile("lidt %0; int3" : : "m"(none));
}

/* By a word to the port below the keyboard controller's. */
static void reset_by_keyboard(unsigned cpu)
{
	(void)cpu;
	outw(0x63, 0xfe00);
}

/* Resets and power-off; one of them by two CPUs at once, where there are two. */
static void end_by(const char *how, unsigned cpus)
{
	say("# %s\n", how);
	wait_ticks(1000000);
	if (!strncmp(how, "triple", 6))
		triple_fault();
	else if (!strncmp(how, "port92", 6))
		outb(0x92, inb(0x92) | 1);
	else if (!strncmp(how, "keyboard", 8)) {
		if (cpus > 1)
			ap_start_job(1, reset_by_keyboard);
		reset_by_keyboard(0);
	} else if (!strncmp(how, "pm1", 3))
		outb(0xb005, 0x20);
	/* What comes at once has come. */
	for (;;)
		cpu_halt();
}

void guest_main(void)
{
	const char *apic = param("apic"), *end = param("end");
	unsigned cpus = (unsigned)param_number("cpus", 1);
	bool x2 = apic && apic[0] == 'x' && apic[1] == '2';

	hosted = under_glasshouse();
	mode = x2 ? "x2APIC" : "xAPIC";
	say("# conformance %s Glasshouse, %u CPUs\n", hosted ? "under" : "without", cpus);
	if (x2 && !(cpuid(1, 0).ecx & BIT(21)))
		bail_out("this CPU has no x2APIC");
	apic_init(x2);

	if (param("mce"))
		write_cr4(read_cr4() | CR4_MCE);
	check_cpu(0);
	for (u64 round = 0; round <= param_number("again", 0); round++) {
		for (unsigned cpu = 1; cpu < cpus; cpu++) {
			start_cpu(cpu);
			ok(ap_run(cpu, check_cpu), "cpu %u: has done its tests", cpu);
		}
	}
	if (param("again")) {
		check_quick_start(cpus - 1);
		check_init(cpus - 1);
	}
	if (param("kick"))
		check_kick(cpus - 1);
	if (param("pushes"))
		check_pushes();
	if (param("leave"))
		check_leave();
	ok(trap.machine_checks == param_number("mce", 0), "each machine check came");
	ok(apic_id() == 0, "and the first CPU goes on");
	if (param("leave"))
		check_leave_without_apic();
	plan();
	if (end)
		end_by(end, cpus);
}
