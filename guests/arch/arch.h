/* SPDX-License-Identifier: MIT */
/*
 * Constants for the C and the assembly files of the architecture guest, and its groups of tests.
 */
#ifndef ARCH_H
#define ARCH_H

/* Selectors in legacy_gdt: tasks (see tasks.S), and segments for the 16-bit one. */
#define TASK_MAIN   0x30
#define TASK_IRET   0x38
#define TASK_JMP    0x40
#define TASK_DF     0x48
#define TASK_NEST   0x50
#define NOT_THERE   0xc0000000 /* not mapped in the paging of the faulty tasks */
#define MOVED       0xc0400000 /* mapped elsewhere in TASK_CR3 */
#define TASK_BAD_SS 0x58
#define TASK_TRAP   0x60
#define TASK_16     0x68
#define TASK_TS     0x70
#define TASK_V86    0x90
#define TASK_RING3  0x98
#define CODE_RING3  0xa0
#define CODE_TASK16 0x78
#define TASK_ESCAPE 0xa8
#define DATA_TASK16 0x80
#define TASK_CR3    0xc0

/* Of race.c. */
#define TASK_FIRST 0xb0
#define TASK_OTHER 0xb8
#define RACE_JUMPS 3000

#define GATE_VECTOR 32 /* the vector of an INT through a task gate */

#ifndef __ASSEMBLER__
#include "guests/lib/guest.h"

void check_tasks(void);      /* tasks.c */
void check_modes(void);      /* modes.c */
void check_faults(void);     /* faults.c */
void check_registers(void);  /* registers.c */
void check_extensions(void); /* extensions.c */
void check_strings(void);    /* strings.c */
void check_steps(void);      /* steps.c */
void check_delivery(void);   /* delivery.c */
void check_race(void);       /* race.c; with a second CPU */
void triple_fault(void);     /* after check_delivery() */

/* Invert each bit of @tried in the MSR; those of @must have to cause #GP. The test's name says
 * which do. */
void check_msr_bits(const char *name, u32 msr, u64 tried, u64 must);
#endif
#endif
