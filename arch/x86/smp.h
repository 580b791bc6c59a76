/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: from their reset state to C. SDM: "Multiple-Processor Management", "MP
 * Initialization Protocol Algorithm".
 */
#ifndef GH_SMP_H
#define GH_SMP_H

#include "arch/x86/percpu.h"

/*
 * Make the struct cpu of a CPU with that APIC ID, with stacks and descriptor tables, and give it
 * the next id. Returns it, or NULL when out of memory or of MAX_CPUS.
 */
struct cpu *cpu_create(u32 apic_id);

/* CR0, CR4 and what else all CPUs have alike in root mode. On each CPU, before anything else. */
void cpu_init_registers(void);

/* Send an NMI to @cpu, from any CPU. */
void smp_send_nmi(const struct cpu *cpu);

/*
 * Start all CPUs of cpus[] but the first. Each ends up in @main(cpu) on its own stack, with paging,
 * GDT, IDT and GS.base as on the boot CPU. @trampoline: physical address of a page below 1 MiB
 * (mapped in the direct map); its content is put back. @delay_us: waits that many microseconds. A
 * CPU that does not answer within a second is named and has .online == false. Returns the number of
 * CPUs that run, the boot CPU included.
 */
unsigned smp_start(u64 trampoline, void (*main)(struct cpu *cpu), void (*delay_us)(u32));

#endif
