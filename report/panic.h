/* SPDX-License-Identifier: MIT */
/*
 * The report of a panic: the state of Glasshouse and the guest, on every console.
 */
#ifndef GH_REPORT_PANIC_H
#define GH_REPORT_PANIC_H

#include "arch/x86/trap.h"
#include "drivers/acpi.h"

/*
 * Make panics and failed VM entries print a full report. @resets: reset the machine after a panic,
 * instead of halting it (option panic=reset). @acpi: used to reset it, until the machine stops.
 */
void report_init(bool resets, const struct acpi_info *acpi);

/* ---- panic_report.c, for panic.c ---- */

/* Print the registers in @f, and the symbol of its RIP. */
void panic_frame(const struct trap_frame *f);

/* Print the build id and the return addresses, with their symbols, on this CPU's stack from @rsp
 * on.
 */
void panic_backtrace(u64 rsp);

#endif
