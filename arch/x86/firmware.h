/* SPDX-License-Identifier: MIT */
/*
 * The state in which a CPU came from 64-bit firmware (boot/efi/switch.S saves it), and in which it
 * continues: as a guest or, when it cannot be one, natively.
 */
#ifndef GH_FIRMWARE_H
#define GH_FIRMWARE_H

/* Offsets for switch.S; checked in firmware.c. */
#define FIRMWARE_RSP       0
#define FIRMWARE_RIP       8
#define FIRMWARE_RFLAGS    16
#define FIRMWARE_CR0       24
#define FIRMWARE_CR3       32
#define FIRMWARE_CR4       40
#define FIRMWARE_EFER      48
#define FIRMWARE_DR7       56
#define FIRMWARE_FS_BASE   64
#define FIRMWARE_GS_BASE   72
#define FIRMWARE_GDTR      86
#define FIRMWARE_IDTR      102
#define FIRMWARE_SELECTORS 112
#define FIRMWARE_BACK      128
#define FIRMWARE_PAT       136
#define FIRMWARE_S_CET     144
#define FIRMWARE_SSP       152
#define FIRMWARE_SSP_TABLE 160

#ifndef __ASSEMBLER__
#include "bits.h"

struct firmware_state {
	/* The general registers that a function keeps are on the stack. */
	u64 rsp, rip, rflags;
	u64 cr0, cr3, cr4, efer, dr7, fs_base, gs_base;
	u16 reserved1[3], gdt_limit;
	u64 gdt_base;
	u16 reserved2[3], idt_limit;
	u64 idt_base;
	u16 selectors[8]; /* ES, CS, SS, DS, FS, GS, LDTR, TR */
	u64 back;         /* physical address of the code that returns natively */
	u64 pat;
	u64 s_cet, ssp, ssp_table; /* of CET; 0 where CR4.CET is 0 */

	/* The segments of the selectors, as the descriptors had them. */
	struct {
		u64 base;
		u32 limit; /* bytes - 1 */
		u32 ar;    /* as LAR returns it, shifted right by 8; 0: unusable */
	} segments[8];
};

/*
 * Let this CPU continue in @state, which is below 4 GiB, as it was before it entered the image:
 * door_switch() (boot/efi/switch.S) returns @result there. Virtualisation must be off. Not possible
 * if the firmware uses 5-level paging, CET or process-context identifiers: check
 * firmware_can_leave() before.
 */
void firmware_leave(const struct firmware_state *state, u64 result) __noreturn;
bool firmware_can_leave(const struct firmware_state *state);
#endif

#endif
