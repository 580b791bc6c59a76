// SPDX-License-Identifier: MIT
/*
 * The guest of lab 3: random page faults, whose CR2 and error code it compares with what it has
 * done; and first touches of memory. By CPUID it tells the check what it does: phases.h.
 *
 * Command line: seed=N, of the random faults. faults=N of them in each phase. mask=N match=N: the
 * filter of the third phase (decimal). touches=N: GiBs that it touches. stay=1: at its end it waits
 * for a q on COM1; after a t it makes page faults and first touches for a while, to be looked at.
 */
#include "guests/lib/guest.h"
#include "guests/lib/random.h"

#include "arch/x86/cpu.h"
#include "labs/03-page-faults/check/phases.h"

#define CR0_WP      BIT(16)
#define PRESENT     BIT(0)
#define WRITABLE    BIT(1)
#define RESERVED    BIT(51)
#define NO_EXECUTE  BIT(63)
#define FIRST_TOUCH GIB(8)
#define SHOWN       40 /* page faults and touches after a t */
#define SHOWN_TICKS 20000000
#define NR_PAGES    512
#define MAPPED      0x200000 /* what the pages map: memory that nobody uses */
#define NR_KINDS    (sizeof(kinds) / sizeof(kinds[0]))

enum access { READ, WRITE, FETCH };

static const struct {
	u64 entry;
	enum access access;
	u32 error; /* SDM: "Page-Fault Exceptions" */
} kinds[] = {
	{0, READ, 0},
	{0, WRITE, PF_ERROR_W},
	{0, FETCH, PF_ERROR_FETCH},
	{MAPPED | PRESENT, WRITE, PF_ERROR_P | PF_ERROR_W},
	{MAPPED | PRESENT | WRITABLE | NO_EXECUTE, FETCH, PF_ERROR_P | PF_ERROR_FETCH},
	{MAPPED | PRESENT | RESERVED, READ, PF_ERROR_P | PF_ERROR_RSVD},
	{MAPPED | PRESENT | RESERVED, WRITE, PF_ERROR_P | PF_ERROR_RSVD | PF_ERROR_W},
};

static u64 state;

static void begin(enum phase phase, u64 exits, u64 faults)
{
	u64 rax = PHASE_LEAF, rcx = phase;

	asm volatile("cpuid" : "+a"(rax), "+c"(rcx), "+b"(exits), "+d"(faults) : : "memory");
}

static u64 try(enum access access, u64 address)
{
	if (access == READ)
		return TRY("movb (%0), %%al", : : "r"(address) : "rax", "r11", "memory");
	if (access == WRITE)
		return TRY("movb $0, (%0)", : : "r"(address) : "r11", "memory");
	return TRY("jmp *%0", : : "r"(address) : "r11", "memory");
}

/* One page fault. Adds 1 to *@exits if the filter lets it exit. Returns what is wrong, or NULL. */
static const char *one_fault(u64 mask, u64 match, u64 *exits)
{
	u64 random = xorshift64(&state), count = trap.count;
	unsigned kind = (unsigned)(random >> 32) % NR_KINDS, page = (random >> 12) % NR_PAGES;
	u64 address = TEST_PAGES + page * 4096ull + (random & 0xfff), vector;

	set_page(page, kinds[kind].entry);
	vector = try(kinds[kind].access, address);
	set_page(page, 0);
	if ((kinds[kind].error & mask) == match)
		++*exits;
	if (vector == PF_VECTOR && trap.count == count + 1 && trap.cr2 == address &&
	    trap.error == kinds[kind].error && trap.rflags & RFLAGS_RF)
		return NULL;
	say("# access %u of %lx: vector %ld, CR2 %lx, error code %lx, %lu exceptions, RFLAGS %lx; "
	    "the error code must be %x\n",
	    kinds[kind].access, address, vector, trap.cr2, trap.error, trap.count - count,
	    trap.rflags, kinds[kind].error);
	if (vector == NO_TRAP)
		return "there is none";
	if (vector != PF_VECTOR)
		return "another exception comes";
	if (trap.count != count + 1)
		return "more than one comes";
	if (trap.cr2 != address)
		return "CR2 is wrong";
	return trap.error != kinds[kind].error ? "the error code is wrong"
					       : "RFLAGS.RF is 0 in the saved RFLAGS";
}

static void faults(const char *about, enum phase phase, u64 mask, u64 match)
{
	u64 n = param_number("faults", 100), exits = 0, i = 0;
	const char *wrong = NULL;

	while (i < n && !wrong) {
		wrong = one_fault(mask, match, &exits);
		i++;
	}
	begin(phase, exits, i);
	if (wrong)
		ok(false, "page fault %lu, %s: %s", i, about, wrong);
	else
		ok(true, "%lu page faults, %s", i, about);
}

static void touch(void)
{
	u64 n = param_number("touches", 5);

	for (u64 i = 0; i < n; i++)
		asm volatile("movb (%0), %%al" : : "r"(FIRST_TOUCH + GIB(i)) : "rax", "memory");
	begin(PHASE_END, n, 0);
	ok(true, "%lu GiBs are touched", n);
}

static void show(void)
{
	static u64 touched = GIB(128);

	for (unsigned i = 0; i < SHOWN; i++) {
		set_page(0, 0);
		try(READ, TEST_PAGES);
		asm volatile("movb (%0), %%al" : : "r"(touched) : "rax", "memory");
		touched += GIB(1);
		wait_ticks(SHOWN_TICKS);
	}
	say("# that was all\n");
}

static void stay(void)
{
	char key = 0;

	while (key != 'q') {
		key = typed();
		if (key == 't')
			show();
		cpu_relax();
	}
}

void guest_main(void)
{
	state = param_number("seed", 1) << 1 | 1;
	asm volatile("mov %%cr0, %%rax\n\tor %0, %%rax\n\tmov %%rax, %%cr0"
		     :
		     : "r"(CR0_WP)
		     : "rax", "memory");
	map_above_4g();
	set_page(0, 0);
	begin(PHASE_NONE, 0, 0);
	faults("which do not exit", PHASE_ALL, 0, 1);
	faults("which exit", PHASE_FILTERED, 0, 0);
	faults("some of which exit", PHASE_TOUCH, param_number("mask", 1),
	       param_number("match", 1));
	touch();
	plan();
	if (param_number("stay", 0))
		stay();
}
