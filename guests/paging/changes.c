// SPDX-License-Identifier: MIT
/*
 * Random tables that change at random: each entry leads to any of a few tables, itself included, or
 * to a page, which may be a table. Each access has to be what sdm_walk() says of the tables as they
 * are, because what has changed is invalidated as the SDM asks. SDM: "Caching Translation
 * Information".
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define TABLES 6

/* Entries that a walk has read: their addresses, and their values afterwards. */
struct path {
	u64 at[WALK_LEVELS], value[WALK_LEVELS];
	unsigned count;
};

static u64 tables[TABLES][512] __aligned(4096);
static bool pending; /* something has changed that was not invalidated everywhere */
static unsigned long long accesses, refused, different;
static struct walk_mode mode;

/* The copy of the entry at @pa, of which there is one, though a walk may meet it twice. */
static void *copied(void *memory, int level, u64 pa)
{
	struct path *path = memory;

	(void)level;
	for (unsigned i = 0; i < path->count; i++)
		if (path->at[i] == pa)
			return &path->value[i];
	path->at[path->count] = pa;
	path->value[path->count] = *(volatile u64 *)pa;
	return &path->value[path->count++];
}

/* The byte at @pa, with what the walk does to it. */
static u8 *byte_at(struct path *path, u64 pa)
{
	for (unsigned i = 0; i < path->count; i++)
		if (pa - path->at[i] < 8)
			return (u8 *)&path->value[i] + (pa - path->at[i]);
	return (u8 *)pa;
}

/* One of the few indexes in use. */
static u64 some_index(void)
{
	return random() % 4;
}

static u64 some_address(void)
{
	return TEST_VA + (some_index() << 30) + (some_index() << 21) + (some_index() << 12) +
	       some_index() * 8;
}

static u64 some_entry(void)
{
	u64 flags = random() % 32 ? PT_P : 0;

	flags |= random() % 16 ? PT_W : 0;
	flags |= random() % 16 ? PT_U : 0;
	flags |= random() % 32 ? 0 : PT_NX;
	flags |= random() & random() & (PT_A | PT_D);
	if (random() % 16 == 0)
		return BIG(random() % 2) | flags | PT_PS;
	if (random() % 4)
		return (u64)tables[random() % TABLES] | flags;
	return FRAME(random() % 8) | flags;
}

static void invalidate(u64 va)
{
	if (!pending)
		return;
	if (random() % 2) {
		invlpg(va);
		return;
	}
	write_cr3(read_cr3());
	pending = false;
}

static void change(void)
{
	u64 *entry = &tables[random() % TABLES][some_index()], old = *entry;

	set_entry(entry, some_entry());
	pending |= old & PT_P;
}

static bool as_walked(const struct probe *p, const struct walk_answer *answer,
		      const struct walk_access *access, const struct path *path)
{
	for (unsigned i = 0; i < path->count; i++) {
		u64 free = answer->fault ? PT_A : 0;

		if ((*(volatile u64 *)path->at[i] ^ path->value[i]) & ~free)
			return false;
	}
	if (answer->fault)
		return p->vector == PF_VECTOR && p->error == answer->error && p->cr2 == access->va;
	return p->vector == BP_VECTOR;
}

static void tell(const struct probe *p, const struct walk_access *access,
		 const struct walk_answer *answer, const struct path *path)
{
	say("# access %llu, kind %x at %llx: vector %u error %x CR2 %llx data %x; walk: %s %x, at "
	    "%llx\n",
	    accesses, p->kind, (unsigned long long)access->va, p->vector, p->error,
	    (unsigned long long)p->cr2, p->data, answer->fault ? "fault" : "none", answer->error,
	    (unsigned long long)answer->pa);
	for (unsigned i = 0; i < path->count; i++)
		say("#   %llx: %llx, expected %llx\n", (unsigned long long)path->at[i],
		    (unsigned long long)*(u64 *)path->at[i], (unsigned long long)path->value[i]);
}

static void access_some(void)
{
	u32 kind = random() % 2 ? KIND_READ : (u32)random() % 3; /* a write often ruins a table */
	struct probe p = {.kind = kind | ((u32)random() & KIND_USER)};
	struct walk_access access = {.va = some_address(), .user = p.kind & KIND_USER};
	struct path path = {.count = 0};
	struct walk_answer answer;
	bool good;
	u8 data = 0;

	access.write = (p.kind & 3) == KIND_WRITE;
	access.fetch = (p.kind & 3) == KIND_FETCH;
	answer = sdm_walk(&mode, &access, copied, &path);
	if (!answer.fault) {
		u8 *byte = byte_at(&path, answer.pa);

		if (access.fetch && *byte != MARK)
			return;
		data = *byte;
		if (access.write && byte != (u8 *)answer.pa)
			*byte = MARK;
	}
	invalidate(access.va);
	probe_run(&p, p.kind, access.va);
	accesses++;
	refused += answer.fault;
	good = as_walked(&p, &answer, &access, &path);
	if (!answer.fault && access.write) {
		good &= *(volatile u8 *)answer.pa == MARK;
		pending |= answer.pa - (u64)tables < sizeof(tables);
	} else if (!answer.fault && !access.fetch) {
		good &= (u8)p.data == data;
	}
	if (!good && !different++)
		tell(&p, &access, &answer, &path);
}

void check_changes(void)
{
	u64 steps = param_number("steps", 30000);

	region_reset();
	memset((void *)FRAME(4), MARK, 4096);
	memset((void *)FRAME(5), MARK, 4096);
	mode = (struct walk_mode){
		.levels = 4,
		.phys_bits = cpuid(0x80000008, 0).eax & 0xff,
		.gib_pages = cpuid(0x80000001, 0).edx & BIT(26),
		.wp = true,
		.nxe = true,
		.cr3 = read_cr3(),
	};
	set_cr0(CR0_WP, true);
	set_entry(&pml4[TEST_SLOT], (u64)tables[0] | ALL);
	flush_all();
	for (u64 i = 0; i < steps; i++) {
		if (random() % 3 == 0)
			change();
		access_some();
	}
	set_cr0(CR0_WP, false);
	set_entry(&pml4[TEST_SLOT], 0);
	flush_all();
	ok(!different, "random changes of tables: %llu accesses, %llu faults", accesses, refused);
	if (different)
		say("# %llu are not as the SDM says\n", different);
}
