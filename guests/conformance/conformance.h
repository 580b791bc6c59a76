/* SPDX-License-Identifier: MIT */
/*
 * The groups of conformance tests, each run on each CPU.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "guests/lib/guest.h"

/* We are under Glasshouse. */
extern bool hosted;

void check_features(unsigned cpu);          /* CPUID, instructions of VMX */
void check_msrs(unsigned cpu);              /* RDMSR, WRMSR */
void check_control_registers(unsigned cpu); /* CR0 to CR8, XCR0 */
void check_state(unsigned cpu);             /* what an exit must not change */
void check_events(unsigned cpu);            /* exceptions, single steps, interrupts, NMI */
void check_memory(unsigned cpu);            /* page faults, our own memory */
void check_pushes(void);                    /* our memory, filled */
void check_leave(void);                     /* needs CPUs 1 and 2, of which the latter is lost */
void check_leave_without_apic(void);        /* the last: there is no local APIC afterwards */
void check_kick(unsigned cpu);              /* from another CPU: INIT while NMIs are blocked */
void check_init(unsigned cpu);              /* likewise: INIT in an interrupt, NMI before SIPI */

/* From now on this CPU's interrupts and exceptions but @vector have no handler. */
void load_idt(unsigned vector, const u8 *handler);

/* A job without an end: an NMI's handler that executes CPUID at kick_time, then counts. */
void block_nmis(unsigned cpu);
extern volatile u64 kick_time;
extern volatile u32 kick_count;

#endif
