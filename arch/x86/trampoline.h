/* SPDX-License-Identifier: MIT */
/*
 * The interface between smp.c and the trampoline, the page below 1 MiB at which a CPU starts after
 * SIPI.
 */
#ifndef GH_TRAMPOLINE_H
#define GH_TRAMPOLINE_H

/* Offsets in struct trampoline_data for trampoline.S; checked in smp.c. */
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
	u64 cr3;       /* the final page tables, which also map the stacks */
	u64 stack_top; /* of the CPU's own stack */
	struct cpu *cpu;
	void (*main)(struct cpu *cpu);
};

/* The code, followed by its struct trampoline_data at trampoline_params. */
extern const char trampoline_start[], trampoline_end[], trampoline_params[];

/* The trampoline jumps here, in 64-bit mode with the boot page tables. */
void ap_entry(void);

/* The first C function on another CPU: initializes it, sets @cpu->online and calls @main. */
void ap_main(struct cpu *cpu, void (*main)(struct cpu *cpu));
#endif

#endif
