/* SPDX-License-Identifier: MIT */
/*
 * GDT and TSS of each CPU. SDM: "Segment Descriptors", "Task Management in 64-bit Mode".
 */
#ifndef GH_DESC_H
#define GH_DESC_H

#include "arch/x86/percpu.h"

/* The interrupt stacks of the TSS, for the vectors that cannot rely on the current stack. */
enum { IST_NMI = 1, IST_DF = 2, IST_MC = 3, IST_COUNT = 3 };

#define IST_STACK_PAGES 1

struct desc_ptr {
	u16 limit;
	u64 base;
} __packed;

/* Fill @cpu's GDT and TSS and allocate its interrupt stacks. Returns 0 or -ENOMEM. */
int desc_init(struct cpu *cpu);

/* The same for the boot CPU before there is memory to allocate: its stacks are static. */
void desc_init_early(struct cpu *cpu);

/* Load @cpu's GDT, segment registers, TSS and GS.base on this CPU. this_cpu() works afterwards. */
void desc_load(struct cpu *cpu);

#endif
