/* SPDX-License-Identifier: MIT */
/*
 * A checksum of code and constants, before and after the guest runs.
 */
#include "lib/integrity.h"
#include "lib/log.h"

extern const u64 __text_start[], __rodata_end[];

static u64 at_start;

/* Depends on every bit and on the order of the words. */
static u64 checksum(void)
{
	u64 sum = 0;

	for (const u64 *p = __text_start; p < __rodata_end; p++)
		sum = (sum << 5 | sum >> 59) ^ *p;
	return sum;
}

void integrity_take(void)
{
	at_start = checksum();
}

void integrity_check(void)
{
	u64 now = checksum();

	if (now == at_start)
		pr_info("Glasshouse's code and constants are unchanged (checksum %lx).\n", now);
	else
		pr_err("Glasshouse's code or constants have changed: checksum %lx, it was %lx: a "
		       "defect of Glasshouse or of the memory. Please report this text.\n",
		       now, at_start);
}
