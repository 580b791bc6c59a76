/* SPDX-License-Identifier: MIT */
/*
 * The report of a panic. See panic.h.
 */
#include "report/panic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "build/version.h"
#include "drivers/console.h"
#include "drivers/reset.h"
#include "lib/log.h"
#include "report/entry_check.h"
#include "vmm/recorder_text.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

static bool panic_resets;
static const struct acpi_info *machine_acpi;
static struct cpu *reporter; /* the CPU that panicked first */

/* The NMI handler during a report: stop, except on the reporting CPU, which ignores NMIs. */
static void stop_on_nmi(struct trap_frame *frame)
{
	(void)frame;
	if (this_cpu() != __atomic_load_n(&reporter, __ATOMIC_ACQUIRE))
		cpu_stop();
}

/* Stop all other CPUs by an NMI. In root mode it stops them at once; in the guest it causes an
 * exit, after which REQ_STOP ends the run loop. */
static void stop_others(void)
{
	struct cpu *cpu;

	nmi_handler = stop_on_nmi;
	smp_set_apic_mode();
	for_each_cpu (cpu) {
		if (cpu != this_cpu() && cpu->online) {
			if (cpu->vcpu)
				__atomic_or_fetch(&cpu->vcpu->requests, (u32)REQ_STOP,
						  __ATOMIC_ACQ_REL);
			lapic_send_nmi(cpu->apic_id);
		}
	}
}

/* End the report: reset or stop the machine, as the option panic= says. */
static void finish(void) __noreturn;
static void finish(void)
{
	if (panic_resets) {
		pr_err("*** Please report this text. Resetting, as panic=reset says. ***\n");
		machine_reset(machine_acpi);
	}
	pr_err("*** Stopped. Please report this text; the machine can be switched off or reset. "
	       "***\n");
	wbinvd();
	cpu_stop();
}

/* Begin the report. Only the CPU that panics first reports; others that panic stop. A panic in the
 * report ends it. */
static void begin_report(void)
{
	static bool failed;
	struct cpu *first = NULL;

	if (!__atomic_compare_exchange_n(&reporter, &first, this_cpu(), false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		if (first != this_cpu() || failed)
			cpu_stop();
		failed = true;
		pr_err("\n*** The report itself failed. ***\n");
		finish();
	}
	console_panic();
	stop_others();
	pr_err("\n*** Glasshouse %s panics on CPU %u ***\n", GLASSHOUSE_VERSION, this_cpu()->id);
}

/* Print the state of the CPU and of the guest, and end the report. */
static void end_report(u64 rsp) __noreturn;
static void end_report(u64 rsp)
{
	struct cpu *cpu;

	panic_backtrace(rsp);
	if (this_cpu()->vcpu)
		virt->dump(this_cpu()->vcpu, NULL, false);
	for_each_cpu (cpu) {
		if (cpu->vcpu)
			recorder_dump(cpu->vcpu, 8);
	}
	finish();
}

static void report_panic(const char *text, u64 rsp)
{
	begin_report();
	pr_err("  %s\n", text);
	end_report(rsp);
}

/* An exception in root mode. */
static void report_trap(struct trap_frame *frame)
{
	begin_report();
	pr_err("  %s in root mode\n", exception_name((unsigned)frame->vector));
	panic_frame(frame);
	end_report(frame->rsp);
}

void report_init(bool resets, const struct acpi_info *acpi)
{
	panic_resets = resets;
	machine_acpi = acpi;
	panic_handler = report_panic;
	trap_report = report_trap;
	entry_rules_attach();
}
