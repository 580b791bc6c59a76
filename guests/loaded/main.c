/* SPDX-License-Identifier: MIT */
/*
 * Prints the boot loader's input: the length of the command line and of the initrd, a checksum of
 * each, and the memory map, so that a test can compare them with what it gave to GRUB.
 */
#include "guests/lib/guest.h"

#include "lib/string.h"

/* The test's command line begins with the word first=...: the loader may put words before it. */
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
	ok(true, "the input is printed");
	plan();
}
