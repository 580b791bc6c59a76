// SPDX-License-Identifier: MIT
/*
 * Streams: many instructions in one run, each in a slot with code that loads its registers. After a
 * fault the next slot runs (run.S), so that VM exits of every kind cost as little as those of
 * CPUID.
 */
#include "guests/monkey/monkey.h"

#include "arch/x86/cpu.h"
#include "guests/lib/guest.h"

static u8 pages[MAX_CPUS][4096] __aligned(4096);

static u8 *put(u8 *at, u8 opcode, u32 value)
{
	*at = opcode;
	__builtin_memcpy(at + 1, &value, sizeof(value));
	return at + 5;
}

void stream_add(struct mcpu *m, const struct slot *slot)
{
	u8 *start = pages[m->cpu] + SLOT * m->slots++, *at = start;

	at = put(at, 0xb9, slot->cx);
	at = put(at, 0xb8, slot->ax);
	at = put(at, 0xba, slot->dx);
	at = put(at, 0xbf, slot->di);
	__builtin_memcpy(at, slot->code, sizeof(slot->code));
	at += slot->n;
	at[0] = 0xeb; /* jmp to the next */
	at[1] = (u8)(start + SLOT - at - 2);
}

void stream_run(struct mcpu *m, unsigned times, bool step)
{
	u8 *page = pages[m->cpu];

	page[SLOT * m->slots] = 0xcc;
	m->slots = 0;
	m->stream = (u64)page;
	while (times--)
		run_at(m, page, step ? RFLAGS_TF : 0);
	m->stream = 0;
}
