/* SPDX-License-Identifier: MIT */
/*
 * Constants for legacy.c and legacy.S: real mode, virtual-8086 mode, 16- and 32-bit protected mode.
 */
#ifndef LEGACY_H
#define LEGACY_H

#define LEGACY_PAGE 0x9000

/* Offsets in that page. */
#define LEGACY_END       0x80  /* INT3s, whatever the code under test is */
#define LEGACY_REAL      0x100 /* the code that enters and leaves real mode */
#define LEGACY_REAL_REGS 0x200 /* its registers: EAX, ECX, EDX, EBX, EBP, ESI, EDI */
#define LEGACY_REAL_END  0x2fc /* becomes END_VECTOR if code in real mode ends by INT3 */

/* Selectors in legacy_gdt, in addition to the flat ones of ring 0. */
#define LEGACY_CODE32_R3 0x28
#define LEGACY_DATA_R3   0x30
#define LEGACY_CODE16    0x38
#define LEGACY_CODE16_R3 0x40
#define LEGACY_TSS       0x48
#define LEGACY_TSS2      0x50 /* another task */

/* Offsets in struct legacy_mode. */
#define L_CR0    0
#define L_CR3    4
#define L_CR4    8
#define L_REAL   12
#define L_RING3  16
#define L_CS     20
#define L_EIP    24
#define L_EFLAGS 28
#define L_SS     32
#define L_ESP    36
#define L_DATA   40
#define L_REGS   44

#ifndef __ASSEMBLER__
#include "bits.h"

struct legacy_mode {
	u32 cr0, cr3, cr4;
	u32 real;  /* real mode: all but the registers is ignored */
	u32 ring3; /* ring 3 or virtual-8086 mode: load SS and ESP */
	u32 cs, eip, eflags, ss, esp, data;
	u32 regs[7]; /* EAX, ECX, EDX, EBX, EBP, ESI, EDI */
};
#endif
#endif
