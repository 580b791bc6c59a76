/* SPDX-License-Identifier: MIT */
/*
 * What the trampoline, a page below 1 MiB at which a CPU starts after SIPI, gets from smp.c.
 */
#ifndef GH_TRAMPOLINE_H
#define GH_TRAMPOLINE_H

/* Offsets in struct trampoline_data that trampoline.S knows; checked in smp.c. */
#define TRAMPOLINE_BOOT_CR3  0
#define TRAMPOLINE_ENTRY     8
#define TRAMPOLINE_CR3       16
#define TRAMPOLINE_STACK_TOP 24
#define TRAMPOLINE_CPU       32
#define TRAMPOLINE_MAIN      40
#define TRAMPOLINE_DATA_SIZE 48

#ifndef __ASSEMBLER__
#include "arch/x86/percpu.h"

struct trampoline_data {
	u64 boot_cr3;  /* the boot page tables, which map low memory and the image; below 4 GiB */
	u64 entry;     /* linear address of ap_entry */
	u64 cr3;       /* our real page tables; only they have the stacks */
	u64 stack_top; /* the CPU's own */
	struct cpu *cpu;
	void (*main)(struct cpu *cpu);
};

/* The code and, behind it, the data; what it jumps to in the image, and that to. */
extern const char trampoline_start[], trampoline_end[], trampoline_params[];
void ap_entry(void);
void ap_main(struct cpu *cpu, void (*main)(struct cpu *cpu));
#endif

#endif
