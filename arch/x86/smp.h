/* SPDX-License-Identifier: MIT */
/*
 * Start the other CPUs, from their reset state to C code. SDM: "Multiple-Processor Management", "MP
 * Initialization Protocol Algorithm".
 */
#ifndef GH_SMP_H
#define GH_SMP_H

#include "arch/x86/percpu.h"

/*
 * Allocate the struct cpu, stacks and descriptor tables of the CPU with APIC ID @apic_id, and give
 * it the next id. Returns it; or NULL when there is no free memory, or there are MAX_CPUS CPUs
 * already.
 */
struct cpu *cpu_create(u32 apic_id);

/* The CPU with that APIC ID, online or not; NULL: there is none. */
struct cpu *cpu_find(u32 apic_id);

/* Set CR0 and CR4 to the values for root mode. The first call on each CPU. */
void cpu_init_registers(void);

/* Set before smp_start(): each CPU switches its local APIC to x2APIC mode, because some have IDs
 * that only this mode can address. */
extern bool smp_x2apic;

/* Send an NMI to @cpu, from any CPU. Returns false when this CPU's local APIC cannot, see
 * lapic_send_ipi(), or @cpu's is off. */
bool smp_send_nmi(const struct cpu *cpu);

/*
 * Switch this CPU's local APIC on, and to x2APIC mode if smp_x2apic says so. A CPU does so at its
 * start; and once more before it stops the others for the machine's end, whatever its guest has
 * done. Not for a guest that goes on: lapic_set_mode() says what it would lose.
 */
void smp_set_apic_mode(void);

/*
 * Start all CPUs of cpus[] except the first. Each calls @main(cpu) on its own stack, with paging,
 * GDT, IDT and GS.base set up as on the boot CPU. @trampoline: physical address of a page below 1
 * MiB, mapped in the direct map; its content is restored. @delay_us: waits that many microseconds.
 * A CPU that does not answer within a second is logged and keeps .online == false. Returns the
 * number of running CPUs, including the boot CPU.
 */
unsigned smp_start(u64 trampoline, void (*main)(struct cpu *cpu), void (*delay_us)(u32));

/*
 * On a CPU that has come otherwise, with the boot page tables, on any stack: do what smp_start()
 * lets a started CPU do, and call @main(@cpu), which must not return.
 */
void smp_enter(struct cpu *cpu, void (*main)(struct cpu *cpu)) __noreturn;

#endif
