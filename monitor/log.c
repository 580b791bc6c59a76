/* SPDX-License-Identifier: MIT */
/*
 * The command log: Glasshouse's log of this boot, and of the one before.
 */
#include "arch/x86/paging.h"
#include "drivers/console.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/x86/cpuid.h"

#define LINE_PIECE 128 /* bytes of a line that are printed at a time */

/* The number of the oldest byte of the ring that nobody writes over now. */
static u64 oldest(const struct log_ring *ring)
{
	u64 claimed = __atomic_load_n(&ring->claimed, __ATOMIC_ACQUIRE);

	return claimed - MIN(claimed, ring->size);
}

/* Copy the bytes from @at on to @text, up to the end of the line, at most LINE_PIECE - 1. Returns
 * how many. */
static u64 copy_line(const struct log_ring *ring, u64 at, u64 end, char *text)
{
	u64 n = 0;

	while (n < LINE_PIECE - 1 && at < end) {
		text[n] = READ_ONCE(ring->text[at % ring->size]);
		at++;
		if (text[n++] == '\n')
			break;
	}
	text[n] = '\0';
	return n;
}

/* Other CPUs may write to the ring meanwhile: include/log_ring.h says how to read it then. */
static void print_ring(const struct log_ring *ring)
{
	u64 end = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE), at = oldest(ring);
	bool partly = at > 0; /* the rest of a line whose beginning is lost */
	char text[LINE_PIECE];

	while (at < end) {
		u64 n = copy_line(ring, at, end, text);

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (oldest(ring) > at) {
			at = oldest(ring);
			partly = true;
			continue;
		}
		if (!partly)
			say("%s", text);
		partly = partly && text[n - 1] != '\n';
		at += n;
	}
}

const char *command_log(const struct arguments *args)
{
	const struct mem_range *last = &monitor_vcpu()->vm->cpuid->logs[LOG_RING_LAST];

	if (!args->word[1]) {
		print_ring(console_ring());
		return NULL;
	}
	if (strcmp(args->word[1], "last") != 0)
		return "say log, or log last";
	if (!last->size)
		return "there is no log of the boot before: the machine was off, or its memory has "
		       "been used since";
	print_ring(phys_to_virt(last->base));
	return NULL;
}
