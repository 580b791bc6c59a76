// SPDX-License-Identifier: MIT
/*
 * What page tables allow: combinations of the flags of all levels, of the control registers and of
 * accesses. The CPU's answer to each is compared with sdm_walk()'s: a fault or not, its error code
 * and CR2, and the accessed and dirty flags. A group of them is one test; its name has their number
 * and a checksum of the CPU's answers.
 */
#include "guests/paging/paging.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define BATCH 256

/* A format of page tables, with the address that all accesses go to. */
struct format {
	const char *name;
	int levels;
	u64 va;
	u64 *tables[WALK_LEVELS]; /* by level; the last is the root */
};

/* A group of accesses, and what has come of them so far. */
struct group {
	const struct format *format;
	struct walk_mode mode;
	unsigned count; /* of those that wait in probes[] */
	unsigned long long cases, faults, different;
	u64 checksum;
};

enum mode_bit {
	MODE_WP = 1,
	MODE_NXE = 2,
	MODE_SMEP = 4,
	MODE_SMAP = 8,
	MODE_PSE = 16,
	MODES = 16
};

static struct probe probes[BATCH];
static u64 table1[512] __aligned(4096), table2[512] __aligned(4096), table3[512] __aligned(4096);
static u64 root32[512] __aligned(4096), low32[8][512] __aligned(4096);
static u64 stub_table32[512] __aligned(4096), stub_page32[512] __aligned(4096);
static u64 root_pae[4] __aligned(32), low_pae[512] __aligned(4096);
static u64 stub_pd_pae[512] __aligned(4096), stub_pt_pae[512] __aligned(4096);
static bool deep; /* all of the combinations, not some */

/* The three addresses have their offset in a page of 1 GiB in common with TARGET. */
static const struct format four = {
	"4-level", 4, TEST_VA + GIB(5) + TARGET, {table1, table2, table3, pml4}};
static const struct format pae = {"PAE", 3, GIB(1) + TARGET, {table1, table2, root_pae}};
static const struct format two = {"32-bit", 2, GIB(1) + TARGET, {table1, root32}};

static unsigned index_in(const struct walk_mode *m, u64 va, int level)
{
	return va >> sdm_shift(m, level) & (m->levels == 2 ? 1023 : 511);
}

/* Where the entry of @level is that the test's address uses. */
static u64 entry_at(const struct group *g, int level)
{
	unsigned i = index_in(&g->mode, g->format->va, level);

	return (u64)g->format->tables[level - 1] + i * (g->format->levels == 2 ? 4 : 8);
}

static void *copied_entry(void *memory, int level, u64 pa)
{
	(void)pa;
	return (u64 *)memory + level - 1;
}

/* Is what the CPU did what sdm_walk() says? */
static bool as_expected(struct group *g, const struct probe *p)
{
	struct walk_access access = {
		.va = g->format->va,
		.write = (p->kind & 3) == KIND_WRITE,
		.fetch = (p->kind & 3) == KIND_FETCH,
		.user = p->kind & KIND_USER,
		.ac = p->kind & KIND_AC,
	};
	u64 expect[WALK_LEVELS], registers[4] = {0, p->entry[2]};
	struct walk_answer answer;

	memcpy(expect, p->entry, sizeof(expect));
	g->mode.pdpte = registers;
	answer = sdm_walk(&g->mode, &access, copied_entry, expect);
	for (int i = 0; i < g->format->levels; i++) {
		/* A fault may come with accessed flags set, or without. */
		u64 free = answer.fault ? PT_A : 0;

		if ((p->after[i] ^ expect[i]) & ~free)
			return false;
	}
	if (answer.fault)
		return p->vector == PF_VECTOR && p->error == answer.error && p->cr2 == access.va;
	if (p->vector != BP_VECTOR)
		return false;
	return access.fetch ? p->rip == access.va + 1 : access.write || p->data == MARK;
}

static void tell(const struct group *g, const struct probe *p)
{
	say("# %s, access %x, WP %d PSE %d NXE %d SMEP %d SMAP %d PKE %d PKRU %x:\n",
	    g->format->name, p->kind, g->mode.wp, g->mode.pse, g->mode.nxe, g->mode.smep,
	    g->mode.smap, g->mode.pke, g->mode.pkru);
	for (int i = g->format->levels - 1; i >= 0; i--)
		say("#   level %d: %llx, then %llx\n", i + 1, (unsigned long long)p->entry[i],
		    (unsigned long long)p->after[i]);
	say("#   vector %u error %x CR2 %llx RIP %llx data %x\n", p->vector, p->error,
	    (unsigned long long)p->cr2, (unsigned long long)p->rip, p->data);
}

static void judge(struct group *g, const struct probe *p)
{
	bool fault = p->vector != BP_VECTOR;
	u64 sum = (u64)p->vector << 32 | p->error;

	g->cases++;
	g->faults += fault;
	for (int i = 0; i < g->format->levels && !fault; i++)
		sum = sum << 2 | (p->after[i] >> 5 & 3);
	g->checksum = (g->checksum ^ sum) * 0x100000001b3;
	if (!as_expected(g, p) && !g->different++)
		tell(g, p);
}

/* One access in 64-bit mode. Both ways of invalidation are used. */
static void access64(struct group *g, struct probe *p)
{
	int levels = g->format->levels;
	u64 *at[WALK_LEVELS];

	for (int i = 0; i < levels; i++) {
		at[i] = (u64 *)entry_at(g, i + 1);
		*(volatile u64 *)at[i] = p->entry[i];
	}
	if (g->cases & 1 || p->entry[0] & PT_G)
		invlpg(g->format->va);
	else
		write_cr3(read_cr3());
	probe_run(p, p->kind, g->format->va);
	for (int i = 0; i < levels; i++)
		p->after[i] = *(volatile u64 *)at[i];
}

static void batch(struct group *g)
{
	u64 cr4 = read_cr4() & ~(CR4_PAE | CR4_PSE);

	batch32.cr0 = (u32)(read_cr0() | CR0_PG);
	batch32.cr3 = (u32)(u64)g->format->tables[g->format->levels - 1];
	batch32.cr4 =
		(u32)(cr4 | (g->mode.levels == 3 ? CR4_PAE : 0) | (g->mode.pse ? CR4_PSE : 0));
	batch32.va = (u32)g->format->va;
	batch32.count = g->count;
	for (int i = 0; i < 3; i++)
		batch32.entries[i] = i < g->format->levels ? (u32)entry_at(g, i + 1) : 0;
	batch32_run(probes);
}

static void flush(struct group *g)
{
	if (g->format->levels < 4) {
		batch(g);
		for (unsigned i = 0; i < g->count; i++)
			judge(g, &probes[i]);
	}
	g->count = 0;
}

/* Add an access to a group. @entries: by level, from the PTE on. */
static void add(struct group *g, const u64 *entries, unsigned kind)
{
	struct probe *p = &probes[g->count++];

	memset(p, 0, sizeof(*p));
	memcpy(p->entry, entries, sizeof(p->entry[0]) * (unsigned)g->format->levels);
	p->kind = kind;
	if (g->format->levels == 4) {
		access64(g, p);
		judge(g, p);
		g->count = 0;
	} else if (g->count == BATCH) {
		flush(g);
	}
}

/* Put flags of the control registers into effect, as far as the CPU has them. */
static void use_mode(struct group *g, unsigned bits)
{
	struct cpuid_regs seven = cpuid(7, 0);
	struct walk_mode *m = &g->mode;

	m->levels = g->format->levels;
	m->phys_bits = cpuid(0x80000008, 0).eax & 0xff;
	m->gib_pages = cpuid(0x80000001, 0).edx & BIT(26);
	m->wp = bits & MODE_WP;
	m->nxe = bits & MODE_NXE;
	m->smep = bits & MODE_SMEP && seven.ebx & BIT(7);
	m->smap = bits & MODE_SMAP && seven.ebx & BIT(20);
	m->pse = bits & MODE_PSE || m->levels > 2;
	set_cr0(CR0_WP, m->wp);
	set_nxe(m->nxe);
	set_cr4(CR4_SMEP, m->smep);
	set_cr4(CR4_SMAP, m->smap);
}

/* Entries that allow all, with a page mapped at @leaf. Returns nothing below the leaf. */
static void open_entries(const struct group *g, int leaf, u64 *entries)
{
	for (int level = g->format->levels; level >= 1; level--) {
		bool pdpte = g->format->levels == 3 && level == 3;
		u64 table = level > 1 ? (u64)g->format->tables[level - 2] : 0;

		if (level == leaf)
			table = ALIGN_DOWN(TARGET, BIT(sdm_shift(&g->mode, level))) |
				(level > 1 ? PT_PS : 0);
		entries[level - 1] = table | PT_P | (pdpte ? 0 : PT_W | PT_U);
	}
}

static int top(const struct group *g)
{
	return g->format->levels == 3 ? 2 : g->format->levels;
}

/* Flags without effect on the answer, at random: PWT, PCD, A, D, G, PAT, and what is ignored. */
static u64 noise(const struct group *g, int level, int leaf)
{
	u64 bits = random() & (PT_PWT | PT_PCD | PT_A | GENMASK(11, 9));

	if (level == leaf)
		bits |= random() & (PT_D | PT_G | (level > 1 ? PT_LARGE_PAT : PT_PS));
	else if (g->format->levels == 4)
		bits |= random() & (PT_D | PT_G);
	if (g->format->levels == 4)
		bits |= random() << 30 & GENMASK(62, 52);
	return bits;
}

/* P, W, U and, where entries have it, NX, from the four lowest bits of a number. */
static u64 rights(unsigned bits)
{
	return (bits & 7) | (bits & 8 ? PT_NX : 0);
}

#define RIGHTS (PT_P | PT_W | PT_U | PT_NX)

static unsigned nr_rights(const struct group *g)
{
	return g->format->levels > 2 ? 16 : 8;
}

/* All rights of the page, small and large, for all accesses. */
static void of_pages(struct group *g)
{
	u64 entries[WALK_LEVELS];

	for (int leaf = 1; leaf <= 3; leaf++) {
		if (leaf > 1 && !sdm_may_be_large(&g->mode, leaf))
			continue;
		for (unsigned i = 0; i < nr_rights(g) * KINDS; i++) {
			if (i % KINDS % 4 == 3)
				continue;
			open_entries(g, leaf, entries);
			entries[leaf - 1] &= ~RIGHTS;
			entries[leaf - 1] |= rights(i / KINDS) | noise(g, leaf, leaf);
			add(g, entries, i % KINDS);
		}
	}
}

/* Rights of all levels together. */
static void of_levels(struct group *g)
{
	unsigned combinations = 1, step = deep || g->format->levels < 4 ? 1 : 13;
	u64 entries[WALK_LEVELS];

	for (int level = 1; level <= top(g); level++)
		combinations *= 8;
	for (unsigned i = (unsigned)random() % step; i < combinations; i += step) {
		open_entries(g, 1, entries);
		for (int level = 1; level <= top(g); level++) {
			unsigned three = i >> 3 * (level - 1) & 7;

			entries[level - 1] &= ~(PT_W | PT_U);
			entries[level - 1] |= noise(g, level, 1) | (three & 3) << 1;
			if (g->format->levels > 2 && three & 4)
				entries[level - 1] |= PT_NX;
		}
		for (unsigned kind = 0; kind < KINDS; kind++)
			if (kind % 4 != 3 && (deep || random() % 8 == 0))
				add(g, entries, kind);
	}
}

/* Each bit that may be reserved, at each level, in present entries and others. */
static void of_reserved(struct group *g)
{
	u64 entries[WALK_LEVELS];

	for (unsigned i = 0; i < 4 * 64; i++) {
		int level = (int)(i >> 6) + 1, bit = (int)(i & 63);
		u64 may = g->format->levels == 2 ? GENMASK(21, 13) : GENMASK(63, 13) | PT_PS;

		if (level > top(g) || !(may & BIT(bit)))
			continue;
		for (int leaf = 1; leaf <= level && leaf <= 3; leaf++) {
			if (leaf > 1 && !sdm_may_be_large(&g->mode, leaf))
				continue;
			open_entries(g, leaf, entries);
			entries[level - 1] |= BIT(bit);
			/* Whatever is no reserved bit must not lead elsewhere. */
			if (!(entries[level - 1] &
			      sdm_reserved(&g->mode, level, level == leaf && leaf > 1)) &&
			    bit < 52)
				continue;
			add(g, entries, (unsigned)random() % 3);
			add(g, entries, KIND_USER | (unsigned)random() % 3);
			entries[level - 1] &= ~PT_P;
			add(g, entries, (unsigned)random() % 3);
		}
	}
}

/* Accessed and dirty flags: all before, all accesses. */
static void of_flags(struct group *g)
{
	u64 entries[WALK_LEVELS];

	for (int leaf = 1; leaf <= 3; leaf++) {
		if (leaf > 1 && !sdm_may_be_large(&g->mode, leaf))
			continue;
		for (unsigned i = 0; i < BIT(top(g) + 1); i++) {
			open_entries(g, leaf, entries);
			for (int level = leaf; level <= top(g); level++)
				entries[level - 1] |= i & BIT(level) ? PT_A : 0;
			entries[leaf - 1] |= i & 1 ? PT_D : 0;
			for (unsigned kind = 0; kind < 3; kind++)
				add(g, entries, kind | KIND_AC | ((unsigned)random() & KIND_USER));
		}
	}
}

/* Anything at any level. */
static void of_all(struct group *g)
{
	u64 entries[WALK_LEVELS];

	for (unsigned i = 0; i < (deep ? 8000u : 400u); i++) {
		int leaf = 1 + (int)(random() % 3);

		if (leaf > 1 && !sdm_may_be_large(&g->mode, leaf))
			leaf = 1;
		open_entries(g, leaf, entries);
		for (int level = leaf; level <= top(g); level++) {
			entries[level - 1] &= ~RIGHTS;
			entries[level - 1] |= noise(g, level, leaf);
			/* Mostly present and accessible, or nothing else would show. */
			entries[level - 1] |=
				rights(7 & ~(unsigned)(random() & random() & random()));
			if (g->format->levels > 2 && random() % 8 == 0)
				entries[level - 1] |= PT_NX;
			if (random() % 32 == 0)
				entries[level - 1] |=
					BIT(random() % 64) &
					sdm_reserved(&g->mode, level, level == leaf && leaf > 1);
		}
		add(g, entries,
		    (unsigned)random() % 3 | ((unsigned)random() & (KIND_USER | KIND_AC)));
	}
}

/*
 * Protection keys: each of a key's rights, each access at CPL 3 to user pages, and not key 0. Bochs
 * 2.7 does not apply keys to the supervisor's accesses, but to its pages.
 */
static void of_keys(struct group *g)
{
	u64 entries[WALK_LEVELS];

	for (unsigned i = 0; i < 4 * 4 * 3 * 4; i++) {
		unsigned key = 1 + (unsigned)random() % 15, access = i & 3;
		unsigned page = i >> 2 & 3, kind = i / 16 % 3;

		g->mode.pkru = (u32)random() & ~(3u << 2 * key) & ~3u;
		g->mode.pkru |= access << 2 * key;
		open_entries(g, 1 + (int)(random() % 2), entries);
		for (int level = 1; level <= 2; level++) {
			entries[level - 1] &= ~(PT_W | GENMASK(62, 59));
			entries[level - 1] |= (page & 1 ? PT_W : 0) | (u64)key << 59;
		}
		if (page & 2)
			entries[1] |= PT_NX;
		write_pkru(g->mode.pkru);
		g->mode.pke = true;
		add(g, entries, kind | KIND_USER);
	}
}

/* One group of a format, in all modes. */
static void check(const struct format *format, const char *name, void (*of)(struct group *))
{
	struct group g = {.format = format, .checksum = 0xcbf29ce484222325};
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	for (unsigned i = 0; i < MODES * (format->levels == 2 ? 2 : 1); i++) {
		use_mode(&g, i);
		if (of == of_keys)
			set_cr4(CR4_PKE, true);
		of(&g);
		flush(&g);
		if (of == of_keys)
			set_cr4(CR4_PKE, false);
	}
	write_cr0(cr0);
	write_cr4(cr4);
	set_nxe(true);
	pml4[TEST_SLOT] = 0;
	write_cr3(read_cr3());
	ok(!g.different, "%s, %s: %llu accesses, %llu faults, checksum %llx", format->name, name,
	   g.cases, g.faults, (unsigned long long)g.checksum);
	if (g.different)
		say("# %llu are not as the SDM says\n", g.different);
}

extern const u8 probe32_user[], probe32_user_end[];

/* Tables for protected mode: the first 32 MiB, which have the guest, and the code for CPL 3. */
static void make_tables(void)
{
	u32 *root = (u32 *)root32, *stub = (u32 *)stub_table32;

	memcpy(stub_page32, probe32_user, (size_t)(probe32_user_end - probe32_user));
	for (u32 i = 0; i < 8; i++) {
		root[i] = (u32)(u64)low32[i] | PT_P | PT_W;
		for (u32 j = 0; j < 1024; j++)
			((u32 *)low32[i])[j] = i << 22 | j << 12 | PT_P | PT_W;
	}
	root[USER_STUB32 >> 22] = (u32)(u64)stub_table32 | PT_P | PT_U;
	stub[0] = (u32)(u64)stub_page32 | PT_P | PT_U;

	for (u64 i = 0; i < 16; i++)
		low_pae[i] = i << 21 | PT_P | PT_W | PT_PS;
	root_pae[0] = (u64)low_pae | PT_P;
	root_pae[1] = (u64)table2 | PT_P;
	root_pae[USER_STUB32 >> 30] = (u64)stub_pd_pae | PT_P;
	stub_pd_pae[0] = (u64)stub_pt_pae | PT_P | PT_U;
	stub_pt_pae[0] = (u64)stub_page32 | PT_P | PT_U;
}

static void check_format(const struct format *format)
{
	check(format, "rights of a page", of_pages);
	check(format, "rights of all levels", of_levels);
	check(format, "reserved bits", of_reserved);
	check(format, "accessed and dirty flags", of_flags);
	check(format, "anything", of_all);
}

void check_rights(void)
{
	deep = param("deep");
	*(u8 *)TARGET = MARK;
	check_format(&four);
	if (cpuid(7, 0).ecx & BIT(3))
		check(&four, "protection keys", of_keys);
}

void check_legacy_rights(void)
{
	make_tables();
	check_format(&pae);
	check_format(&two);
}
