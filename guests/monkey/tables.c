// SPDX-License-Identifier: MIT
/*
 * Random page tables, which all CPUs change and use at the same time, without any invalidation that
 * an operating system would think of. Whatever they say, they lead to nothing that the monkey
 * needs: to one another, to pages for this, to Glasshouse's memory, and to addresses where nothing
 * is. So that it stays so, only the lowest byte of an entry is written by way of these tables,
 * without the flags PS and PWT; so what can be executed there are harmless instructions, too.
 */
#include "guests/monkey/monkey.h"

#include "arch/x86/cpu.h"
#include "guests/lib/guest.h"

#define TABLES     6
#define FRAMES     3
#define ROOT_ENTRY 16 /* the root's entry */
#define NOTHING    0x90000000ull
#define PT_P       BIT(0)
#define PT_WU      (BIT(1) | BIT(2))
#define PT_FLAGS   (BIT(4) | BIT(5) | BIT(6) | BIT(8)) /* PCD, A, D, G */
#define PT_PS      BIT(7)
#define PT_NX      BIT(63)
#define BYTE       0x77 /* of what is written */

extern u64 pml4[512];
static u64 tables[TABLES][512] __aligned(4096);
static u8 frames[FRAMES][4096] __aligned(4096);

/* The index of an entry that is in use. */
static u64 some_index(struct mcpu *m)
{
	return rnd(m) % 4 * 170;
}

static u64 some_entry(struct mcpu *m)
{
	u64 entry = rnd(m) & (PT_WU | PT_FLAGS);

	if (!one_in(m, 16))
		entry |= PT_P;
	if (!one_in(m, 4))
		entry |= PT_WU;
	if (one_in(m, 16))
		entry |= PT_NX;
	switch (rnd(m) % 8) {
	case 0:
	case 1:
		if (one_in(m, 4))
			entry |= PT_PS;
		if (!hole_size || one_in(m, 4))
			return entry | NOTHING;
		return entry | ((hole_start + rnd(m) % hole_size) & ~0xfffull);
	case 2:
		return entry | (u64)frames[rnd(m) % FRAMES];
	default:
		return entry | (u64)tables[rnd(m) % TABLES];
	}
}

static void fill_frames(void)
{
	for (unsigned i = 0; i < FRAMES; i++)
		for (unsigned at = 0; at < 4096; at++)
			frames[i][at] = 0xcc;
	pml4[ROOT_ENTRY] = (u64)tables[0] | PT_P | PT_WU;
}

/* An address, mostly in use at all levels. */
static u64 some_address(struct mcpu *m)
{
	u64 at = (u64)ROOT_ENTRY << 39 | some_index(m) << 30 | some_index(m) << 21 |
		 some_index(m) << 12;

	return at | (one_in(m, 8) ? rnd(m) & 0x1ff8 : some_index(m) * 8);
}

void do_tables(struct mcpu *m)
{
	static const u8 codes[][4] = {
		{2, 0x8a, 0x07},       /* mov (%rdi), %al */
		{2, 0x88, 0x07},       /* mov %al, (%rdi) */
		{3, 0xf0, 0x08, 0x07}, /* lock or %al, (%rdi) */
		{2, 0xff, 0xe7},       /* jmp *%rdi */
		{3, 0x0f, 0x01, 0x3f}, /* invlpg (%rdi) */
		{3, 0x0f, 0x22, 0xd8}, /* mov %rax, %cr3 */
		{3, 0x48, 0x8b, 0x07}, /* mov (%rdi), %rax */
	};
	unsigned n = 1 + (unsigned)rnd(m) % 6;

	if (!frames[0][0])
		fill_frames();
	if (one_in(m, 8))
		write_cr0(m->cr0 ^ CR0_WP);
	if (one_in(m, 8))
		write_cr4(m->cr4 ^ CR4_PGE);
	for (unsigned i = 0; i < n; i++) {
		const u8 *code = codes[rnd(m) % 8 % ARRAY_SIZE(codes)];
		bool cr3 = code[2] == 0x22;

		if (one_in(m, 2))
			__atomic_store_n(&tables[rnd(m) % TABLES][some_index(m)], some_entry(m),
					 __ATOMIC_RELAXED);
		m->in[RDI] = some_address(m);
		m->in[RAX] = cr3 ? read_cr3() : rnd(m) & BYTE;
		run_code(m, code + 1, code[0], cr3 || one_in(m, 2) ? 0 : 3, 64);
	}
}
