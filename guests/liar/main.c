// SPDX-License-Identifier: MIT
/*
 * A boot loader that says what a test wants: its initrd is the machine's memory in pieces, the boot
 * information among them. It puts them where they belong and starts the kernel among them as a
 * multiboot 2 loader does.
 */
#include "guests/lib/guest.h"

#include "lib/string.h"

/* The initrd: this, then pieces of a multiple of 8 bytes up to its end. */
struct initrd {
	u32 entry, info; /* addresses: where to start, of the boot information */
};

struct piece {
	u32 to, size;
	u8 data[];
};

u32 liar_entry, liar_info;

void liar_enter(void);
void legacy_call(void (*code32)(void));

void guest_main(void)
{
	u32 size;
	const u8 *at = initrd(&size), *end = at + size;
	const struct initrd *head = (const void *)at;

	liar_entry = head->entry;
	liar_info = head->info;
	for (at += sizeof(*head); at < end;) {
		const struct piece *p = (const void *)at;

		memcpy((void *)(u64)p->to, p->data, p->size);
		at += sizeof(*p) + p->size;
	}
	legacy_call(liar_enter);
}
