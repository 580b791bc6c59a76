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

/* Load @cpu's GDT, segment registers, TSS and GS.base on this CPU. this_cpu() works afterwards. */
void desc_load(struct cpu *cpu);

/*
 * The same with a static struct cpu, for a CPU that has none of its own yet, and may need a stack
 * for NMIs: so call it before idt_load(). One CPU at a time: it ends with that CPU's desc_load().
 */
void desc_load_early(void);

#endif
