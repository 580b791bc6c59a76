/* SPDX-License-Identifier: MIT */
/*
 * The report of a panic: what is known about Glasshouse and the guest, on every console.
 */
#ifndef GH_REPORT_PANIC_H
#define GH_REPORT_PANIC_H

#include "arch/x86/trap.h"
#include "drivers/acpi.h"

/*
 * From now on panics and failed VM entries are reported in full. @resets: the machine is reset
 * after a panic, not halted (panic=reset). @acpi: how to reset it; must stay.
 */
void report_init(bool resets, const struct acpi_info *acpi);

/* ---- Of panic_report.c, for panic.c ---- */

/* Print the registers of @f. */
void panic_frame(const struct trap_frame *f);

/* Print the build's id and, by name, the return addresses on this CPU's stack from @rsp on. */
void panic_backtrace(u64 rsp);

#endif
