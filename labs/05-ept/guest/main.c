// SPDX-License-Identifier: MIT
/*
 * The guest of lab 5: it writes 8 bytes to each page of its memory from 32 MiB on, at offset=N in
 * the page, and compares them. salt=N changes what it writes. With stay=1 it writes them again for
 * each byte that comes on COM1, until a q.
 */
#include "guests/lib/guest.h"

#include "labs/05-ept/guest/touch.h"

#define FROM MIB(32)
#define TO   GIB(3)

static u64 offset, salt;

/* Call @visit with the 8 bytes of each page. Returns the number of pages for which it is true. */
static u64 each_page(bool (*visit)(volatile u64 *word))
{
	const struct e820_entry *e;
	u64 pages = 0;

	for (unsigned i = 0; (e = e820_entry(i)); i++) {
		u64 at = ALIGN_UP(MAX(e->start, FROM), 4096);

		for (; e->type == 1 && at + 4096 <= MIN(e->start + e->size, TO); at += 4096)
			pages += visit((volatile u64 *)(at + offset));
	}
	return pages;
}

static bool write_word(volatile u64 *word)
{
	*word = touch_value((u64)word, salt);
	return true;
}

static bool is_right(volatile u64 *word)
{
	return *word == touch_value((u64)word, salt);
}

void guest_main(void)
{
	u64 pages;
	char c;

	offset = param_number("offset", 0);
	salt = param_number("salt", 0);
	pages = each_page(write_word);
	ok(pages > 1000, "it writes to each page of its memory: %llu pages",
	   (unsigned long long)pages);
	ok(each_page(is_right) == pages, "and finds there what it has written");
	plan();
	while (param_number("stay", 0) && (c = typed()) != 'q')
		if (c)
			each_page(write_word);
}
