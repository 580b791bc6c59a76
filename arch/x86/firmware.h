/* SPDX-License-Identifier: MIT */
/*
 * The state in which a CPU came from 64-bit firmware: firmware_enter() saves it, and the CPU goes on in it, as a
 * guest or, when it cannot be one, natively.
 */
#ifndef GH_FIRMWARE_H
#define GH_FIRMWARE_H

/* Offsets for assembly; checked in firmware.c. */
#define FIRMWARE_RSP	   0
#define FIRMWARE_RIP	   8
#define FIRMWARE_RFLAGS	   16
#define FIRMWARE_CR0	   24
#define FIRMWARE_CR3	   32
#define FIRMWARE_CR4	   40
#define FIRMWARE_EFER	   48
#define FIRMWARE_DR7	   56
#define FIRMWARE_FS_BASE   64
#define FIRMWARE_GS_BASE   72
#define FIRMWARE_GDTR	   86
#define FIRMWARE_IDTR	   102
#define FIRMWARE_SELECTORS 112
#define FIRMWARE_BACK	   128

#ifndef __ASSEMBLER__
#include "types.h"

struct firmware_state {
	/* All general registers but RAX, which firmware_enter() returns, are on the stack. */
	u64 rsp, rip, rflags;
	u64 cr0, cr3, cr4, efer, dr7, fs_base, gs_base;
	u16 reserved1[3], gdt_limit;
	u64 gdt_base;
	u16 reserved2[3], idt_limit;
	u64 idt_base;
	u16 es, cs, ss, ds, fs, gs, ldtr, tr; /* selectors */
	u64 back; /* physical address of the code that returns natively */
};
#endif

#endif
