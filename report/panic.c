/* SPDX-License-Identifier: MIT */
/*
 * The end of Glasshouse: all that is known, on every console.
 */
#include <stdarg.h>
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/trap.h"
#include "build/version.h"
#include "drivers/console.h"
#include "lib/log.h"
#include "lib/print.h"
#include "report/panic.h"
#include "vmm/vm0/power.h"
#include "vmm/virt_ops.h"

bool panic_resets;
static struct cpu *reporter; /* the CPU that panics first */

/* Whoever sent the NMI: only the CPU that reports goes on. */
static void stop_on_nmi(struct trap_frame *frame)
{
	(void)frame;
	if (this_cpu() != __atomic_load_n(&reporter, __ATOMIC_ACQUIRE))
		cpu_stop();
}

/* The others stop where they are: at their next NMI, in the guest or in root mode. */
static void stop_others(void)
{
	struct cpu *cpu;

	nmi_handler = stop_on_nmi;
	for_each_cpu (cpu) {
		if (cpu != this_cpu() && cpu->online) {
			if (cpu->vcpu)
				__atomic_or_fetch(&cpu->vcpu->requests, (u32)REQ_STOP,
						  __ATOMIC_ACQ_REL);
			lapic_send_nmi(cpu->apic_id);
		}
	}
}

/* As panic= says. */
static void finish(void) __noreturn;
static void finish(void)
{
	if (panic_resets) {
		pr_err("*** Please report this text. Resetting, as panic=reset says. ***\n");
		machine_reset(this_cpu()->vcpu ? this_cpu()->vcpu->vm->acpi : NULL);
	}
	pr_err("*** Stopped. Please report this text; the machine can be switched off or reset. "
	       "***\n");
	wbinvd();
	cpu_stop();
}

/* One CPU reports; others that panic stop. A report that fails itself ends there. */
static void begin(void)
{
	static bool failed;
	struct cpu *first = NULL;

	if (!__atomic_compare_exchange_n(&reporter, &first, this_cpu(), false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		if (first != this_cpu() || failed)
			cpu_stop();
		failed = true;
		pr_err("\n*** The report failed itself. ***\n");
		finish();
	}
	console_panic();
	stop_others();
	pr_err("\n*** Glasshouse %s panics on CPU %u ***\n", GLASSHOUSE_VERSION, this_cpu()->id);
}

static void end(u64 rsp) __noreturn;
static void end(u64 rsp)
{
	struct cpu *cpu;

	panic_backtrace(rsp);
	if (this_cpu()->vcpu)
		virt->dump(this_cpu()->vcpu);
	for_each_cpu (cpu) {
		if (cpu->vcpu)
			recorder_dump(cpu->vcpu, 8);
	}
	finish();
}

void panic(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	begin();
	pr_err("  %s\n", text);
	end((u64)__builtin_frame_address(0));
}

void panic_trap(struct trap_frame *frame)
{
	begin();
	pr_err("  %s in root mode\n", exception_name((unsigned)frame->vector));
	panic_frame(frame);
	end(frame->rsp);
}
