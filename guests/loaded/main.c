/* SPDX-License-Identifier: MIT */
/*
 * Says what the boot loader gave it: how long the command line and the initrd are, and a checksum
 * of each, so that a test can compare them with what it gave, and with what GRUB itself hands over.
 */
#include "guests/lib/guest.h"

#include "lib/string.h"

/* The command line from its first word of the form first=... on: the loader may put words before.
 */
#define FIRST "first"

static u32 checksum(const u8 *bytes, size_t n)
{
	u32 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

void guest_main(void)
{
	const char *first = param(FIRST);
	const struct e820_entry *e;
	u32 size = 0;
	const u8 *bytes = initrd(&size);
	size_t n;

	if (!first)
		bail_out("no word %s= on the command line", FIRST);
	first -= strlen(FIRST "=");
	n = strlen(first);
	say("# command line: %zu bytes, checksum %x\n", n, checksum((const u8 *)first, n));
	say("# initrd: %u bytes, checksum %x\n", size, checksum(bytes, size));
	for (unsigned i = 0; (e = e820_entry(i)); i++)
		say("# e820: %lx-%lx type %u\n", e->start, e->start + e->size, e->type);
	ok(true, "all is said");
	plan();
}
