/* SPDX-License-Identifier: MIT */
/*
 * Random changes of tables beside an oracle: a plain list that says how each page of a window is
 * mapped. The window lies around a border of 1 GiB; on CPUs with large pages, all around it is
 * mapped, too, and stays so. See parts.h.
 */
#include "labs/05-ept/check/parts.h"
#include "arch/x86/percpu.h"
#include "arch/x86/trap.h"
#include "errno.h"
#include "labs/common/lab.h"
#include "lib/log.h"

#define ROUNDS     10 /* for each CPU */
#define OPS        40
#define PAGES      (10 * 512u) /* of the window */
#define BLOCK      512u        /* pages of 2 MiB */
#define BEFORE     4           /* blocks of the window before the border */
#define FULL_CHECK 20          /* operations from one look at all to the next */

/* SDM: "Debug Registers". DR0 is for writes of 8 bytes. */
#define DR7_OFF     0x400ul
#define DR7_WRITE_8 (DR7_OFF | 1 | 1 << 16 | 2 << 18)
#define DR6_CLEAR   0xffff0ff0ul

static struct ept ept;
static u64 offset; /* hpa - gpa of what is mapped at the beginning */
static gpa_t window;
static u64 oracle[PAGES]; /* hpa | permissions | memory type | EPT_HELD; 0: not mapped */

/* The operation at hand. */
static struct op {
	enum { OP_MAP, OP_UNMAP, OP_PROTECT, OP_HOLD } kind;
	unsigned first, pages, prot, memtype;
	hpa_t hpa;
} op;

static u64 below(u64 n)
{
	return lab_random() % n;
}

static gpa_t gpa_of(u64 page)
{
	return window + page * PAGE_SIZE;
}

/* ---- What the oracle says ---- */

static u64 original(u64 page)
{
	return (gpa_of(page) + offset) | EPT_RWX | MEMTYPE_WB << EPT_MEMTYPE_SHIFT;
}

/* What the page is mapped to after the operation. */
static u64 after(unsigned page)
{
	u64 old = oracle[page];

	if (page - op.first >= op.pages)
		return old;
	switch (op.kind) {
	case OP_UNMAP:
		return 0;
	case OP_PROTECT:
		return old ? (old & ~EPT_RWX) | op.prot : 0;
	default:
		return (op.hpa + (u64)(page - op.first) * PAGE_SIZE) | op.prot |
		       (u64)op.memtype << EPT_MEMTYPE_SHIFT | (op.kind == OP_HOLD ? EPT_HELD : 0);
	}
}

/* What the tables say about a page, in the oracle's form. */
static u64 told(gpa_t gpa)
{
	struct ept_mapping map;

	if (!ept_walk(&ept, gpa + 0x345, &map))
		return 0;
	return (map.hpa & PAGE_MASK) | map.prot | (u64)map.memtype << EPT_MEMTYPE_SHIFT |
	       (map.entry & EPT_HELD);
}

static const char *wrong_page(unsigned page, u64 right)
{
	static const char *const names[] = {"ept_map", "ept_unmap", "ept_protect", "ept_hold"};
	u64 is = told(gpa_of(page));

	if (is == right)
		return NULL;
	pr_info("# after %s of %u pages at GPA %lx: the page at %lx is %lx, it must be %lx "
		"(address, memory type << 3, permissions)\n",
		names[op.kind], op.pages, gpa_of(op.first), gpa_of(page), is, right);
	return page - op.first < op.pages ? "a page is not mapped as it was asked for"
					  : "a page has changed that was not asked for";
}

/* ---- The smallest form ---- */

/* Do the entries of the 2 MiB from @page on need a table? */
static bool needs_table(unsigned page)
{
	u64 first = oracle[page], step = first ? PAGE_SIZE : 0;

	if (first &&
	    (!ept.caps.page_2m || first & EPT_HELD || !IS_ALIGNED(first & EPT_ADDR_MASK, MIB(2))))
		return true;
	for (unsigned i = 1; i < BLOCK; i++)
		if (oracle[page + i] != first + i * step)
			return true;
	return false;
}

/* The tables of levels 2 and 1 for the blocks of one GiB, from @page up to @end. */
static unsigned tables_of_gib(unsigned page, unsigned end)
{
	bool as_before = true, any = ept.caps.page_2m;
	unsigned tables = 0;

	for (; page < end; page += BLOCK) {
		tables += needs_table(page);
		for (unsigned i = 0; i < BLOCK; i++) {
			as_before &= oracle[page + i] == original(page + i);
			any |= oracle[page + i] != 0;
		}
	}
	if (ept.caps.page_1g && as_before)
		return 0;
	return tables + any;
}

static unsigned smallest(void)
{
	unsigned border = (unsigned)((ALIGN_UP(window, GIB(1)) - window) / PAGE_SIZE);
	unsigned tables = tables_of_gib(0, border) + tables_of_gib(border, PAGES);

	return 1 + (ept.caps.page_2m || tables) + tables;
}

/* ---- Looks ---- */

/* Do the tables on the way to @gpa allow what the last entry allows? The CPU takes all together. */
static const char *wrong_way(gpa_t gpa)
{
	struct ept_mapping map;

	ept_walk(&ept, gpa, &map);
	for (int level = ROOT_LEVEL; level > map.level; level--) {
		u64 entry = ept_entry(&ept, gpa, level);

		if ((entry & EPT_RWX) == EPT_RWX)
			continue;
		pr_info("# GPA %lx: the entry of level %d, which points to a table, is %lx\n", gpa,
			level, entry);
		return "an entry that points to a table must allow all: EPT_RWX";
	}
	return NULL;
}

static const char *look_at_all(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < PAGES && !why; i++)
		why = wrong_page(i, oracle[i]);
	for (unsigned i = 0; i < PAGES && !why; i += BLOCK)
		why = wrong_way(gpa_of(i));
	for (unsigned i = 0; i < 50 && ept.caps.page_2m && !why; i++) {
		u64 page = PAGES + below(BLOCK * 256);

		if (told(gpa_of(page)) != original(page)) {
			pr_info("# the page at GPA %lx, far from all changes\n", gpa_of(page));
			why = "a page has changed that was not asked for";
		}
	}
	if (!why && pool.used != smallest()) {
		pr_info("# there are %u tables, %u are enough\n", pool.used, smallest());
		why = "the tables do not have the smallest form";
	}
	return why;
}

static const char *seen; /* by look_meanwhile() */

/* While a change is being made, a CPU may walk the tables: each page is mapped as before, or as it
 * will be. */
static void look_meanwhile(void)
{
	for (unsigned i = 0; i < 8 && !seen; i++) {
		unsigned page = (unsigned)below(PAGES);
		u64 is = told(gpa_of(page));

		if (is == oracle[page] || is == after(page))
			continue;
		pr_info("# while a change is made: the page at GPA %lx is %lx, before %lx, later "
			"%lx\n",
			gpa_of(page), is, oracle[page], after(page));
		seen = "in the middle of a change, a CPU would find a page that is neither as "
		       "before nor as it will be";
	}
}

/* The processor calls this after each write to ept.retired, by a breakpoint (DR0). A table that is
 * retired must be out of reach: else a CPU comes to it later, when it is free. */
static bool table_is_retired(struct trap_frame *frame)
{
	gpa_t last = gpa_of(op.first + op.pages - 1);

	(void)frame;
	write_dr6(DR6_CLEAR);
	for (gpa_t gpa = gpa_of(op.first); ept.retired && !seen; gpa = MIN(gpa + MIB(2), last)) {
		for (int level = ROOT_LEVEL; level > 1; level--) {
			u64 entry = ept_entry(&ept, gpa, level);

			if (!is_table(entry, level) || table_of(&ept, entry) != ept.retired)
				continue;
			pr_info("# a table is dropped, and the entry of level %d for GPA %lx still "
				"points to it\n",
				level, gpa);
			seen = "a table is dropped before the entry that points to it is written";
		}
		if (gpa == last)
			break;
	}
	return true;
}

static void watch_retired(bool on)
{
	debug_handler = on ? table_is_retired : NULL;
	asm volatile("mov %0, %%dr0" : : "r"(&ept.retired));
	asm volatile("mov %0, %%dr7" : : "r"(on ? DR7_WRITE_8 : DR7_OFF));
}

/* ---- Operations ---- */

static void choose_op(void)
{
	static const u8 prots[] = {EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX, EPT_RWX};

	op.kind = below(10) < 5 ? OP_MAP : 1 + (unsigned)below(3);
	op.prot = prots[below(sizeof(prots))];
	op.memtype = below(3) ? MEMTYPE_WB : MEMTYPE_UC;
	op.first = (unsigned)below(PAGES);
	op.pages = 1 + (unsigned)below(below(2) ? 8 : 3 * BLOCK);
	if (below(3) == 0) {
		op.first = (unsigned)ALIGN_DOWN(op.first, BLOCK);
		op.pages = BLOCK;
	}
	if (op.kind == OP_HOLD)
		op.pages = 1;
	op.pages = MIN(op.pages, PAGES - op.first);
	op.hpa = gpa_of(op.first) + offset;
	if (below(2))
		op.hpa += MIB(2) * below(1000) + (below(2) ? PAGE_SIZE * below(1000) : 0);
	if (below(8) == 0) { /* as it was at the beginning */
		op.hpa = gpa_of(op.first) + offset;
		op.prot = EPT_RWX;
		op.memtype = MEMTYPE_WB;
	}
}

static int carry_out(void)
{
	gpa_t gpa = gpa_of(op.first);
	u64 size = op.pages * PAGE_SIZE;

	switch (op.kind) {
	case OP_MAP:
		return ept_map(&ept, gpa, op.hpa, size, op.prot, op.memtype);
	case OP_UNMAP:
		return ept_unmap(&ept, gpa, size);
	case OP_PROTECT:
		return ept_protect(&ept, gpa, size, op.prot);
	default:
		return ept_hold(&ept, gpa, op.hpa, op.prot, op.memtype);
	}
}

/* After an operation: compare its pages, and have the oracle follow. One without memory may have
 * changed some. */
static const char *follow(int r)
{
	const char *why = NULL;

	for (unsigned i = op.first; i < op.first + op.pages && !why; i++) {
		u64 new = after(i);

		if (r && told(gpa_of(i)) == oracle[i])
			continue;
		why = wrong_page(i, new);
		oracle[i] = new;
	}
	return why;
}

/* Number @n, from 1, of a round: the first ones are short of memory, as the tables are few. */
static const char *one_op(unsigned n)
{
	bool short_of_memory = n <= 3 || below(8) == 0;
	const char *why = NULL;
	int r;

	choose_op();
	pool_keep();
	pool.fail_after = short_of_memory ? (unsigned)below(3) : ~0u;
	pool.watcher = look_meanwhile;
	watch_retired(true);
	r = carry_out();
	watch_retired(false);
	pool.watcher = NULL;
	pool_let_free();
	if (r && !(short_of_memory && r == -ENOMEM)) {
		pr_info("# operation %d of %u pages at GPA %lx: error %d\n", op.kind, op.pages,
			gpa_of(op.first), -r);
		why = "it returns an error";
	}
	why = why ?: pool.why ?: seen ?: follow(r);
	ept_reclaim(&ept);
	return why ?: pool.why;
}

/* ---- All ---- */

static void begin(const struct ept_caps *caps)
{
	gpa_t border = GIB(2 + below(14));

	window = border - BEFORE * MIB(2);
	offset = GIB(below(16));
	seen = NULL;
	pool_begin(&ept, caps);
	for (unsigned i = 0; i < PAGES; i++)
		oracle[i] = caps->page_2m ? original(i) : 0;
	if (caps->page_2m)
		ept_map(&ept, border - GIB(1), border - GIB(1) + offset, GIB(2), EPT_RWX,
			MEMTYPE_WB);
}

static const char *check_with(const struct ept_caps *caps)
{
	const char *why;

	begin(caps);
	why = look_at_all();
	for (unsigned i = 1; i <= OPS && !why; i++) {
		why = one_op(i);
		if (!why && i % FULL_CHECK == 0)
			why = look_at_all();
	}
	pool.fail_after = ~0u;
	if (!why && (ept_unmap(&ept, 0, EPT_GPA_END) || told(window)))
		why = "ept_unmap() of all addresses fails";
	ept_reclaim(&ept);
	if (!why && pool.used != 1) {
		pr_info("# all is unmapped, and %u tables are left besides the root\n",
			pool.used - 1);
		why = "tables are left that map nothing";
	}
	return why;
}

const char *check_changes(void)
{
	static const struct ept_caps cpus[] = {
		{.page_2m = true, .page_1g = true, .ad = true, .phys_bits = 46},
		{.page_2m = true, .phys_bits = 46},
		{.ad = true, .phys_bits = 46},
	};
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS * ARRAY_SIZE(cpus) && !why; i++)
		why = check_with(&cpus[i % ARRAY_SIZE(cpus)]);
	return why;
}
