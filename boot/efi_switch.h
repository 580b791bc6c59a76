/* SPDX-License-Identifier: MIT */
/*
 * The switch from the firmware to the image. See switch.S.
 */
#ifndef GH_BOOT_EFI_SWITCH_H
#define GH_BOOT_EFI_SWITCH_H

/* What door_switch() returns, beside 0. */
#define SWITCH_NO_XD   1 /* the CPU has no execute-disable bit */
#define SWITCH_REFUSED 2 /* the image has printed why */
#define SWITCH_UNKNOWN 3 /* the image does not know this CPU */

/* HYPERCALL_BOOT_SERVICES_END, docs/hypercalls.md; checked in boot/efi.c. */
#define SWITCH_HYPERCALL 0x476c617373000002

#ifndef __ASSEMBLER__
#include "arch/x86/firmware.h"

/* The code that is copied; behind it is room for the address of the firmware's ExitBootServices. */
extern const u8 door_switch[], door_switch_end[], door_exit_boot_services[];

/* Undo the firmware's limits of this CPU. Has it XD then? */
bool door_has_xd(void);

typedef u64 door_switch_fn(struct firmware_state *state, u64 image, u64 entry, u64 handoff);
#endif

#endif
