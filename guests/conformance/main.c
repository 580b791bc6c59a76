// SPDX-License-Identifier: MIT
/*
 * The conformance guest tests whether a CPU under Glasshouse behaves as the SDM says. It runs
 * without Glasshouse, too, and then skips what exists only under Glasshouse.
 *
 * Command line:
 *   cpus=N     number of CPUs
 *   apic=x2    x2APIC mode
 *   again=1    start each CPU twice
 *   quick=N    with again=1: N ticks or more from INIT to SIPI, and INIT is not trapped
 *   kick=1     INIT at any time; only where INIT is trapped
 *   strange=1  start CPU 1 with what is not emulated; needs its options ept=off icr=trap
 *   lax=1      the CPU reads MSRs that it does not have as 0
 *   leave=1    ask Glasshouse to leave when it cannot; needs 3 CPUs
 *   ports=1    test only ports that begin to exit; needs 2 CPUs
 *   pushes=1   PUSH to Glasshouse's memory; needs its option reserve=32M
 *   rsdp=1     the loader tells of ACPI's root pointer
 *   mce=N      expect N machine checks, from its option provoke=mc
 *   end=HOW    end otherwise than by power-off: see end_by()
 *
 * What the machine is like without Glasshouse:
 *   hypervisor=1   CPUID.1:ECX[31] is set
 *   firmware=N     the firmware reserves the last N KiB of RAM
 *   bank=1         the CMOS RAM has a second bank, at port 72h
 *   nmi=no         NMIs get lost
 *   fpustores=no   FPU and vector stores to the local APIC are #UD
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "lib/string.h"

bool under_hypervisor;

#define STRANGE_START 0x9000 /* a page for strange.S */

static const char *mode;

static void check_cpu(unsigned cpu)
{
	check_features(cpu);
	check_msrs(cpu);
	check_control_registers(cpu);
	check_state(cpu);
	check_local_apic(cpu);
	check_local_apic_stores(cpu);
	check_events(cpu);
	check_memory(cpu);
}

/* Start another CPU and check its registers. SDM: "IA-32 and Intel 64 Processor States Following
 * Power-up, Reset, or INIT". */
static void start_cpu(unsigned cpu)
{
	struct ap_state s = {0};

	ok(ap_boot(cpu, &s), "cpu %u: starts by INIT-SIPI (%s)", cpu, mode);
	ok(s.cs == AP_BASE >> 4, "cpu %u: CS is the SIPI's vector", cpu);
	ok(s.ds == 0, "cpu %u: DS is 0", cpu);
	if (under_hypervisor)
		ok(s.edx == cpuid(1, 0).eax, "cpu %u: EDX is the CPU's signature", cpu);
	else
		skip("Bochs leaves 0", "cpu %u: EDX is the CPU's signature", cpu);
	ok((s.cr0 & ~(CR0_CD | CR0_NW)) == CR0_ET, "cpu %u: CR0 is 10h, except CD and NW", cpu);
	ok(s.cr4 == 0, "cpu %u: CR4 is 0", cpu);
	ok(s.eflags == 2, "cpu %u: EFLAGS is 2", cpu);
}

/* Start the other CPUs and test each. While the last one starts, CPU 1 waits for a SIPI again. */
static void start_cpus(unsigned cpus)
{
	bool waits;

	for (unsigned cpu = 1; cpu < cpus; cpu++) {
		waits = cpu > 1 && cpu == cpus - 1;
		if (waits) {
			apic_send(1, ICR_INIT);
			wait_ticks(10000);
		}
		start_cpu(cpu);
		ok(ap_run(cpu, check_cpu), "cpu %u: has finished its tests", cpu);
		if (waits)
			ok(ap_boot_stopped(1), "cpu 1: its SIPI comes after cpu %u has started",
			   cpu);
	}
}

extern const u8 strange_start[], strange_end[];

/* CPU 1 starts with an instruction that nothing emulates where real mode is emulated: the others
 * run on, and it can start again. */
static void check_strange_start(void)
{
	struct ap_state s;

	memcpy((void *)STRANGE_START, strange_start, (size_t)(strange_end - strange_start));
	apic_send(1, ICR_INIT);
	wait_ticks(10000);
	apic_send(1, ICR_STARTUP | STRANGE_START >> 12);
	wait_ticks(1000000);
	ok(ap_boot(1, &s), "cpu 1: starts again after an instruction that is not emulated");
	ok(ap_run(1, check_events), "cpu 1: and gets its events");
}

static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = {0, 0};

	asm volatile("lidt %0; int3" : : "m"(none));
}

/* By a 16-bit write to the port below the keyboard controller's. */
static void reset_by_keyboard(unsigned cpu)
{
	(void)cpu;
	outw(0x63, 0xfe00);
}

/* End by a reset or power-off; if there are two CPUs, both write to the keyboard controller. */
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
	else if (!strncmp(how, "waits", 5)) {
		/* By power-off, while another CPU waits for a SIPI. */
		apic_send(1, ICR_INIT);
		wait_ticks(10000);
		return;
	}
	/* The end may take effect a little later. */
	for (;;)
		cpu_halt();
}

void guest_main(void)
{
	const char *apic = param("apic"), *end = param("end");
	unsigned cpus = (unsigned)param_number("cpus", 1);
	bool x2 = apic && apic[0] == 'x' && apic[1] == '2';

	under_hypervisor = under_glasshouse();
	mode = x2 ? "x2APIC" : "xAPIC";
	say("# conformance %s Glasshouse, %u CPUs\n", under_hypervisor ? "under" : "without", cpus);
	if (x2 && !(cpuid(1, 0).ecx & BIT(21)))
		bail_out("this CPU has no x2APIC");
	apic_init(x2);

	if (param("mce"))
		write_cr4(read_cr4() | CR4_MCE);
	if (param("ports")) {
		start_cpu(1);
		check_ports(1, param("bank"));
		plan();
		return;
	}
	if (param("rsdp"))
		ok(acpi_root() && !memcmp(acpi_root(), "RSD PTR ", 8),
		   "the boot parameters name ACPI's root pointer");
	check_cpu(0);
	check_fpu_errors();
	for (u64 round = 0; round <= param_number("again", 0); round++)
		start_cpus(cpus);
	if (param("again")) {
		check_quick_start(cpus - 1, param_number("quick", 0));
		check_init(cpus - 1, !param("quick"));
	}
	if (param("kick"))
		check_kick(cpus - 1);
	if (param("strange"))
		check_strange_start();
	if (param("pushes"))
		check_pushes();
	if (param("leave"))
		check_leave();
	ok(trap.machine_checks == param_number("mce", 0), "each machine check arrived");
	ok(apic_id() == 0, "and the first CPU still runs");
	if (param("leave"))
		check_leave_without_apic();
	if (param("apicoff"))
		check_disabled_apic(cpus);
	plan();
	if (end)
		end_by(end, cpus);
}
