// SPDX-License-Identifier: MIT
/*
 * A boot loader that passes whatever boot information a test wants. Its initrd is a list of pieces
 * of memory: a kernel, boot information, modules. It copies them to their addresses and starts the
 * kernel as a multiboot 2 loader does.
 *
 * Command line: cr0=, cr4=: bits that it leaves on in these registers; dr7=, eflags=: what it leaves there
 */
#include "guests/lib/guest.h"

#include "lib/string.h"

/* The start of the initrd. Pieces, each a multiple of 8 bytes long, follow up to its end. */
struct initrd {
	u32 entry, info; /* addresses of the kernel's entry point and of the boot information */
};

struct piece {
	u32 to, size;
	u8 data[];
};

u32 liar_entry, liar_info, liar_cr0, liar_cr4, liar_dr7, liar_eflags;

void liar_enter(void);
void legacy_call(void (*code32)(void));

void guest_main(void)
{
	u32 size;
	const u8 *at = initrd(&size), *end = at + size;
	const struct initrd *head = (const void *)at;

	liar_entry = head->entry;
	liar_info = head->info;
	liar_cr0 = (u32)param_number("cr0", 0);
	liar_cr4 = (u32)param_number("cr4", 0);
	liar_dr7 = (u32)param_number("dr7", 0x400);
	liar_eflags = (u32)param_number("eflags", 2);
	for (at += sizeof(*head); at < end;) {
		const struct piece *p = (const void *)at;

		memcpy((void *)(u64)p->to, p->data, p->size);
		at += sizeof(*p) + p->size;
	}
	legacy_call(liar_enter);
}
