/* SPDX-License-Identifier: MIT */
/*
 * Lab 5's functions by themselves, with random values. See parts.h.
 */
#include "labs/05-ept/check/parts.h"
#include "labs/common/lab.h"
#include "lib/log.h"

#define ROUNDS 300

static u64 below(u64 n)
{
	return lab_random() % n;
}

static struct ept ept;

/* An empty struct ept. */
static void new_ept(bool ad)
{
	const struct ept_caps caps = {
		.page_2m = true, .page_1g = true, .ad = ad, .exec_only = true, .phys_bits = 46};

	pool_begin(&ept, &caps);
}

/* A random entry of @level that maps a page, with flags of the CPU's. */
static u64 random_leaf(int level)
{
	static const u8 prots[] = {EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_X, EPT_RWX, EPT_RWX};
	u64 entry = ALIGN_DOWN(below(BIT(46)), entry_size(level)) | prots[below(sizeof(prots))] |
		    (below(2) ? MEMTYPE_WB : MEMTYPE_UC) << EPT_MEMTYPE_SHIFT |
		    (below(4) << 8 & AD_FLAGS);

	if (level > 1)
		return entry | EPT_LEAF;
	return below(4) ? entry : (entry & ~EPT_RWX) | EPT_HELD;
}

/* ---- 1: ept_last_entry() ---- */

/* Make the tables down to @level on the way to @gpa. Returns the entry there, in a table of
 * random entries. */
static u64 *make_way(gpa_t gpa, int level)
{
	u64 *table = ept.root;

	for (int at = ROOT_LEVEL;; at--) {
		u64 *entry = &table[gpa / entry_size(at) % ENTRIES];

		for (unsigned i = 0; i < ENTRIES; i++)
			table[i] = lab_random();
		if (at == level)
			return entry;
		table = ept.ops.alloc_page();
		*entry = table_pa(&ept, table) | EPT_RWX | (below(2) ? EPT_ACCESSED : 0);
	}
}

const char *check_walk(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		gpa_t gpa = below(EPT_GPA_END);
		int level = 1 + (int)below(ROOT_LEVEL);
		bool hole = level == ROOT_LEVEL || below(3) == 0;
		unsigned shift = 0, right = PAGE_SHIFT + 9 * ((unsigned)level - 1);
		u64 *entry, *found;

		new_ept(true);
		entry = make_way(gpa, level);
		*entry = hole ? lab_random() & ~(EPT_RWX | EPT_HELD) : random_leaf(level);
		found = ept_last_entry(&ept, gpa, &shift);
		if (found == entry && shift == right)
			continue;
		pr_info("# GPA %lx: %s at level %d, entry %lx, shift %u; you: shift %u%s\n", gpa,
			hole ? "hole" : "page", level, *entry, right, shift,
			found == entry ? "" : ", another entry");
		return "the walk does not end at the right entry";
	}
	return NULL;
}

/* ---- 2: ept_new_leaf() ---- */

static const char *wrong_leaf(const struct change *c, u64 old, int level, gpa_t gpa)
{
	u64 new = ept_new_leaf(c, old, level, gpa);
	u64 address = c->kind == MAP ? gpa + c->offset : old & EPT_ADDR_MASK;
	const char *why = NULL;

	if ((new ^ c->bits) & EPT_RWX)
		why = "the permissions are not those of the change";
	else if ((new &EPT_ADDR_MASK) != address)
		why = "the address is wrong";
	else if ((new ^ (c->kind == MAP ? c->bits : old)) & EPT_MEMTYPE_MASK)
		why = "the memory type is wrong";
	else if (!!(new &EPT_LEAF) != (level > 1))
		why = "bit 7 (EPT_LEAF) must be 1 at level 2 and 3, and is not there at level 1";
	else if (new &AD_FLAGS & ~(c->kind == MAP ? 0 : old))
		why = "the accessed or the dirty flag is set: only the CPU sets them here";
	else if (c->kind == PROTECT && (old & ~new &AD_FLAGS))
		why = "PROTECT keeps the accessed and the dirty flag";
	else if ((new ^ (c->kind == MAP ? c->bits : old)) & (EPT_HELD | EPT_SPP))
		why = "EPT_HELD and EPT_SPP are the change's (MAP) or the old entry's (PROTECT)";
	if (why)
		pr_info("# %s, bits %lx, offset %lx, old entry %lx, level %d, GPA %lx: you made "
			"%lx\n",
			c->kind == MAP ? "MAP" : "PROTECT", c->bits, c->offset, old, level, gpa,
			new);
	return why;
}

const char *check_leaf(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		int level = 1 + (int)below(3);
		u64 size = entry_size(level), leaf = random_leaf(level);
		gpa_t gpa = ALIGN_DOWN(below(BIT(45)), size);
		struct change c = {.kind = i % 2 ? MAP : PROTECT};

		if (c.kind == PROTECT) {
			c.bits = EPT_R | below(8);
		} else {
			c.offset = ALIGN_DOWN(below(BIT(45)), size) - gpa;
			c.bits = (leaf & (EPT_RWX | EPT_MEMTYPE_MASK)) | (i % 8 ? 0 : EPT_HELD);
			leaf = random_leaf(level);
		}
		why = wrong_leaf(&c, leaf, level, gpa);
	}
	return why;
}

/* ---- 3: ept_split() ---- */

static const char *wrong_split(u64 entry, int level, const u64 *table)
{
	u64 keep = EPT_RWX | EPT_MEMTYPE_MASK;

	for (u64 i = 0; i < ENTRIES; i++) {
		u64 address = (entry & EPT_ADDR_MASK) + i * entry_size(level - 1);
		const char *why = NULL;

		if (!is_present(entry))
			why = table[i] ? "a hole becomes a table of holes" : NULL;
		else if ((table[i] & EPT_ADDR_MASK) != address)
			why = "an entry maps another address than the large page did";
		else if ((table[i] ^ entry) & keep)
			why = "an entry has other permissions, or another memory type";
		else if (!!(table[i] & EPT_LEAF) != (level > 2))
			why = "bit 7 (EPT_LEAF): the pages are of 2 MiB (level 2) or of 4 KiB "
			      "(level 1)";
		else if (ept.caps.ad && (table[i] & AD_FLAGS) != AD_FLAGS)
			why = "the CPU may set accessed and dirty while you copy: set both";
		if (!why)
			continue;
		pr_info("# entry %lx of level %d: your table's entry %lu is %lx\n", entry, level, i,
			table[i]);
		return why;
	}
	return NULL;
}

const char *check_split(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		int level = 2 + (int)below(2);
		u64 entry = i % 8 ? random_leaf(level) : 0, *table;

		new_ept(i % 2);
		pool.fail_after = i % 16 == 1 ? 0 : 1;
		if (!ept.caps.ad)
			entry &= ~AD_FLAGS;
		table = ept_split(&ept, entry, level);
		if (i % 16 == 1)
			why = table ? "there is no memory: ept_split() must return NULL" : NULL;
		else
			why = table ? wrong_split(entry, level, table) : "no table is returned";
	}
	return why;
}

/* ---- 5: ept_prot_below() ---- */

const char *check_prot(void)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned prot = i & EPT_RWX, result, right = prot;

		new_ept(true);
		ept.caps.exec_only = i & 8;
		result = ept_prot_below(&ept, prot);
		if (!(prot & EPT_R))
			right = ept.caps.exec_only ? prot & EPT_X : 0;
		if (result == right)
			continue;
		pr_info("# permissions %x, execute-only pages %d: %x, it must be %x\n", prot,
			ept.caps.exec_only, result, right);
		return result & ~prot ? "there are more permissions than before: an access would "
					"not be seen"
				      : "the CPU cannot have these permissions, or could have more";
	}
	return NULL;
}
