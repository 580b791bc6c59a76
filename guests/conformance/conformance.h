/* SPDX-License-Identifier: MIT */
/*
 * The groups of conformance tests. Those with a CPU number run on that CPU, if no comment says
 * other.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "guests/lib/guest.h"

/* The guest runs under Glasshouse. */
extern bool under_hypervisor;

void check_features(unsigned cpu);           /* CPUID, instructions of VMX */
void check_msrs(unsigned cpu);               /* RDMSR, WRMSR */
void check_control_registers(unsigned cpu);  /* CR0 to CR8, XCR0 */
void check_state(unsigned cpu);              /* state that a VM exit must not change */
void check_events(unsigned cpu);             /* exceptions, single steps, interrupts, NMI */
void check_memory(unsigned cpu);             /* page faults, hidden memory */
void check_local_apic(unsigned cpu);         /* its page, by unusual addresses */
void check_local_apic_stores(unsigned cpu);  /* by many kinds of instructions */
void check_fpu_errors(void);                 /* x87 errors and the 8259s; on the first CPU */
void check_disabled_apic(unsigned cpus);     /* must be last: it disables the local APIC */
void check_ports(unsigned other, bool bank); /* uses the CPU @other, too; before check_memory() */
void check_pushes(void);                     /* PUSH to many pages of hidden memory */
void check_leave(void);                      /* uses CPUs 1 and 2; CPU 2 never returns */
void check_leave_without_apic(void);         /* must be last: it disables the local APIC */

/*
 * On another CPU: INIT while NMIs are blocked; INIT and a SIPI @ticks after it, or later; INIT in
 * an interrupt. While the CPU waits for a SIPI, an NMI must be lost if INIT is @trapped.
 */
void check_kick(unsigned cpu);
void check_quick_start(unsigned cpu, u64 ticks);
void check_init(unsigned cpu, bool trapped);

/* Load an IDT that has a handler for @vector only. */
void load_idt(unsigned vector, const u8 *handler);

/* A job that never returns: it sends @cpu, itself, an NMI, whose handler executes CPUID at
 * kick_time and then increments kick_count for ever. */
void block_nmis(unsigned cpu);
extern volatile u64 kick_time;
extern volatile u32 kick_count;

#endif
