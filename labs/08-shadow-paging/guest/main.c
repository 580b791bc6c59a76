// SPDX-License-Identifier: MIT
/*
 * The guest of lab 8: accesses by page tables of its own, whose flags are random at each level:
 * what happens, and which flags the tables have afterwards; two address spaces; and what first
 * accesses, INVLPG and MOV to CR3 take.
 *
 * Command line: seed=N, of the random flags; cases=N; switches=N, of address spaces. stay=1: at its
 * end it waits for a q on COM1.
 */
#include "guests/lib/guest.h"
#include "guests/lib/random.h"

#include "arch/x86/cpu.h"

#define P        BIT(0)
#define W        BIT(1)
#define U        BIT(2)
#define A        BIT(5)
#define D        BIT(6)
#define NX       BIT(63)
#define RESERVED BIT(51)
#define ALL      (P | W | U)
#define CR0_WP   BIT(16)
#define REGION   (1ull << 39) /* entry 1 of the top table */
#define ENTRIES  512

/* The region's own tables, by their levels: tables[2] is of level 3. And the other top table. */
static u64 tables[3][ENTRIES] __aligned(4096), other_top[ENTRIES] __aligned(4096);
static u64 *top;
/* JMP *%r11: the way back of TRY(). In the other address space it is the second one. */
static u8 page[2][4096] __aligned(4096) = {{0x41, 0xff, 0xe3}, {0x41, 0xff, 0xe3}};

static u64 state;

static u64 read_root(void)
{
	u64 cr3;

	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	return cr3;
}

static void set_root(const u64 *table)
{
	asm volatile("mov %0, %%cr3" : : "r"((u64)table) : "memory");
}

/* The entry of @level (4 to 1) for @address in the region. */
static u64 *entry(int level, u64 address)
{
	u64 *table = level == 4 ? top : tables[level - 1];

	return &table[address >> (3 + 9 * level) & (ENTRIES - 1)];
}

static void map(u64 address, const void *target)
{
	*entry(4, address) = (u64)tables[2] | ALL;
	*entry(3, address) = (u64)tables[1] | ALL;
	*entry(2, address) = (u64)tables[0] | ALL;
	*entry(1, address) = (u64)target | ALL;
}

/* ---- Random flags at each level ---- */

enum access { READ, WRITE, FETCH };

static u64 try(enum access access, u64 address)
{
	if (access == READ)
		return TRY("movb (%0), %%al", : : "r"(address) : "rax", "r11", "memory");
	if (access == WRITE)
		return TRY("movb $0, (%0)", : : "r"(address) : "r11", "memory");
	return TRY("jmp *%0", : : "r"(address) : "r11", "memory");
}

static u64 spoiled(u64 value)
{
	u64 random = xorshift64(&state);

	if (!(random % 12))
		value &= ~P;
	if (!((random >> 8) % 24))
		value |= RESERVED;
	if (!((random >> 16) % 5))
		value &= ~W;
	if (!((random >> 24) % 8))
		value |= NX;
	if (random >> 32 & 1)
		value &= ~U;
	return value;
}

/* The error code of the #PF, or NO_TRAP. SDM: "Determination of Access Rights". */
static u64 expected(enum access access, u64 address)
{
	u64 error = access == WRITE ? PF_ERROR_W : access == FETCH ? PF_ERROR_FETCH : 0;
	bool writable = true, executable = true;

	for (int level = 4; level; level--) {
		u64 value = *entry(level, address);

		if (!(value & P))
			return error;
		if (value & RESERVED)
			return error | PF_ERROR_P | PF_ERROR_RSVD;
		writable = writable && value & W;
		executable = executable && !(value & NX);
	}
	if ((access == WRITE && !writable) || (access == FETCH && !executable))
		return error | PF_ERROR_P;
	return NO_TRAP;
}

static const char *wrong_flags(enum access access, u64 address)
{
	for (int level = 4; level; level--)
		if (!(*entry(level, address) & A))
			return "an accessed flag is missing";
	return !(*entry(1, address) & D) != (access != WRITE) ? "the dirty flag is wrong" : NULL;
}

static const char *one_case(void)
{
	u64 random = xorshift64(&state), address = REGION | (random & 0x7ffffff000ull), error;
	enum access access = (enum access)((random >> 50) % 3);
	const char *wrong = NULL;
	u64 vector;

	if (access == WRITE)
		address += 64; /* behind the code */
	map(address, page[0]);
	for (int level = 4; level; level--)
		*entry(level, address) = spoiled(*entry(level, address));
	invlpg(address);
	error = expected(access, address);
	vector = try(access, address);
	if (vector != (error == NO_TRAP ? NO_TRAP : PF_VECTOR))
		wrong = error == NO_TRAP ? "there is an exception" : "there is no page fault";
	else if (error != NO_TRAP && (trap.error != error || trap.cr2 != address))
		wrong = "the error code or CR2 is wrong";
	else if (error == NO_TRAP)
		wrong = wrong_flags(access, address);
	if (wrong)
		say("# access %u of %lx: vector %ld, error code %lx, CR2 %lx; must be %ld; entries "
		    "from level 4: %lx %lx %lx %lx\n",
		    access, address, vector, trap.error, trap.cr2, error, *entry(4, address),
		    *entry(3, address), *entry(2, address), *entry(1, address));
	map(address, page[0]);
	*entry(1, address) = 0;
	invlpg(address);
	return wrong;
}

static void random_flags(void)
{
	u64 n = param_number("cases", 100), i = 0;
	const char *wrong = NULL;

	while (i < n && !wrong) {
		wrong = one_case();
		i++;
	}
	ok(!wrong, "%lu accesses by random page tables%s%s", i, wrong ? ": " : "", wrong ?: "");
}

/* ---- Two address spaces ---- */

static u64 other_tables[3][ENTRIES] __aligned(4096);

static void two_spaces(void)
{
	u64 n = param_number("switches", 50), wrong = 0;
	volatile u8 *seen = (volatile u8 *)REGION + 128;

	map(REGION, page[0]);
	for (unsigned i = 0; i < ENTRIES; i++)
		other_top[i] = top[i];
	other_top[1] = (u64)other_tables[2] | ALL;
	other_tables[2][0] = (u64)other_tables[1] | ALL;
	other_tables[1][0] = (u64)other_tables[0] | ALL;
	other_tables[0][0] = (u64)page[1] | ALL;
	page[0][128] = 1;
	page[1][128] = 2;
	for (u64 i = 0; i < n; i++) {
		set_root(i % 2 ? top : other_top);
		if (*seen != (i % 2 ? 1 : 2))
			wrong++;
	}
	set_root(top);
	ok(!wrong, "%lu switches between two address spaces, %lu of them wrong", n, wrong);
}

/* ---- What it takes ---- */

#define TIMES   4
#define REPEATS 32

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

static void measure(void)
{
	u64 touch = ~0ull, invalidate = ~0ull, load = ~0ull, start;
	unsigned next = 0;

	for (unsigned i = 0; i < TIMES * REPEATS; i++)
		map(REGION + i * 4096ull, page[0]);
	set_root(top);
	for (unsigned i = 0; i < TIMES; i++) {
		start = rdtsc();
		for (unsigned j = 0; j < REPEATS; j++)
			*(volatile u8 *)(REGION + 4096ull * next++);
		touch = least(touch, (rdtsc() - start) / REPEATS);
		start = rdtsc();
		for (unsigned j = 0; j < REPEATS; j++)
			invlpg(REGION);
		invalidate = least(invalidate, (rdtsc() - start) / REPEATS);
		start = rdtsc();
		for (unsigned j = 0; j < REPEATS; j++)
			set_root(top);
		load = least(load, (rdtsc() - start) / REPEATS);
	}
	say("# ticks first-access %lu\n# ticks invlpg %lu\n# ticks mov-to-cr3 %lu\n", touch,
	    invalidate, load);
}

void guest_main(void)
{
	state = param_number("seed", 1) << 1 | 1;
	top = (u64 *)(read_root() & ~0xfffull);
	asm volatile("mov %%cr0, %%rax\n\tor %0, %%rax\n\tmov %%rax, %%cr0"
		     :
		     : "r"(CR0_WP)
		     : "rax", "memory");
	random_flags();
	two_spaces();
	measure();
	plan();
	while (param_number("stay", 0) && typed() != 'q')
		cpu_relax();
}
