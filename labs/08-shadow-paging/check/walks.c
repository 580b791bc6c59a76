/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 8: the walk of the guest's tables. See lab8.h.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "labs/08-shadow-paging/check/lab8.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/memslot.h"

#define ROUNDS 300

int __real_walk_addr(struct guest_walk *w), __wrap_walk_addr(struct guest_walk *w);
bool __real_set_entry_flags(void *host, u64 *entry, u64 flags, unsigned size),
	__wrap_set_entry_flags(void *host, u64 *entry, u64 flags, unsigned size);

static struct paging_mode random_mode(void)
{
	u64 random = lab_random();
	struct paging_mode mode = {.levels = 4, .entry_size = 8, .index_bits = 9, .root = TABLE(4)};

	mode.phys_bits = (u8)(36 + random % 10);
	mode.page_1g = random & BIT(20);
	mode.nx = random & (BIT(21) | BIT(22));
	mode.wp = random & (BIT(23) | BIT(24));
	mode.smep = random & BIT(25);
	mode.smap = random & BIT(26);
	return mode;
}

static void tell_walk(const struct guest_walk *w, const struct answer *a, bool fault)
{
	pr_info("# %lx, access %x (WP %d, NX %d, SMEP %d, SMAP %d), entries from level 4: %lx %lx "
		"%lx %lx\n",
		w->gva, w->access, w->mode->wp, w->mode->nx, w->mode->smep, w->mode->smap,
		a->entry[4], a->entry[3], a->entry[2], a->entry[1]);
	pr_info("# must be: level %d, rights %x, %s %lx; it is: level %d, rights %x, %s %lx\n",
		a->level, a->acc, a->fault ? "error code" : "address", a->fault ? a->error : a->gpa,
		w->level, w->leaf_acc, fault ? "error code" : "address", fault ? w->error : w->gpa);
}

/* Compare a walk that returned @r with what the oracle said before; @flags: with the flags that it
 * has set in the copies of the entries. */
static const char *wrong_walk(const struct guest_walk *w, int r, const struct answer *a, bool flags)
{
	if (r != (a->fault ? -EFAULT : 0))
		return a->fault ? "the walk must be refused" : "the walk must be allowed";
	if (w->level != a->level)
		return "the walk must end at another level";
	for (int level = w->top; level >= w->level; level--) {
		u64 set = flags && !a->fault ? PT_A : 0;

		if (set && level == w->level && w->access & PF_ERROR_W)
			set |= PT_D;
		if (w->at[level] != a->at[level])
			return "at[]: an entry is at another address";
		if (w->entry[level] != (a->entry[level] | set))
			return "entry[]: not what the table has there, with the flags that are set";
		if (w->rights[level] != a->rights[level])
			return "rights[]: not those of all entries above";
	}
	if (w->leaf_acc != a->acc)
		return "leaf_acc: not the rights of all entries together";
	if (a->fault && w->error != a->error)
		return "the error code is wrong";
	if (!a->fault && w->gpa != a->gpa)
		return "the guest-physical address is wrong";
	return NULL;
}

const char *check_find_leaf(struct vm *vm)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		struct paging_mode mode = random_mode();
		struct guest_walk w = {.mode = &mode, .vm = vm, .gva = random_gva()};
		struct answer a;
		int r;

		w.access = (u32)WALK_CHECKED;
		make_tables(vm, w.gva, lab_random() & 0xffffff000, i % 4 == 0);
		walk_begin(&w);
		if (i % 8 == 1) { /* the upper part is known */
			w.top = 3;
			w.table = TABLE(3);
			w.acc = lab_random() & ACC_ALL;
		}
		oracle_walk(&w, false, &a);
		r = walk_addr(&w);
		why = wrong_walk(&w, r, &a, false);
		if (why)
			tell_walk(&w, &a, r);
	}
	return why;
}

const char *check_access_error(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct paging_mode mode = random_mode();
		u32 access = random_access(), error = access_error(&mode, access);

		if (error == oracle_error(&mode, access))
			continue;
		pr_info("# access %x, NX %d, SMEP %d: %x, it must be %x\n", access, mode.nx,
			mode.smep, error, oracle_error(&mode, access));
		return "access_error: a bit of the error code is wrong";
	}
	return NULL;
}

const char *check_may_access(void)
{
	for (unsigned i = 0; i < 4 * ROUNDS; i++) {
		struct paging_mode mode = random_mode();
		u32 access = random_access() | (lab_random() & 1 ? (u32)WALK_AC : 0);
		unsigned acc = lab_random() & ACC_ALL;
		bool may = may_access(&mode, access, acc);

		if (may == oracle_allows(&mode, access, acc))
			continue;
		pr_info("# access %x, rights %x, WP %d, SMEP %d, SMAP %d\n", access, acc, mode.wp,
			mode.smep, mode.smap);
		return may ? "may_access: this access is not allowed"
			   : "may_access: this access is allowed";
	}
	return NULL;
}

/* ---- Accessed and dirty flags ---- */

static bool changes; /* another CPU clears PT_P of the next entry whose flags are to be set */
static u64 *changed;

bool __wrap_set_entry_flags(void *host, u64 *entry, u64 flags, unsigned size)
{
	if (changes && host && flags & ~*entry) {
		changes = false;
		changed = host;
		*changed &= ~PT_P;
	}
	return __real_set_entry_flags(host, entry, flags, size);
}

static u64 before[NR_TABLES][512];

static const char *wrong_flags(struct vm *vm, const struct guest_walk *w, const struct answer *a)
{
	for (int level = 4; level; level--) {
		u64 *table = oracle_entry(vm, TABLE(level)), *was = before[4 - level];
		u64 index = w->gva >> (3 + 9 * level) & 511, set = 0;

		if (!a->fault && level >= a->level && a->at[level] == TABLE(level) + index * 8)
			set = PT_A | (level == a->level && w->access & PF_ERROR_W ? PT_D : 0);
		if (set & ~table[index])
			return "an accessed or dirty flag is missing in the guest's table";
		if (&table[index] == changed)
			was[index] &= ~PT_P;
		was[index] |= set;
		if (memcmp(table, was, sizeof(before[0])))
			return a->fault
				       ? "a refused access must not change the tables"
				       : "a bit of the tables has changed that is not the access's";
	}
	return NULL;
}

static const char *one_access(struct vm *vm, bool other_cpu)
{
	struct paging_mode mode = random_mode();
	struct guest_walk w = {.mode = &mode, .vm = vm, .gva = random_gva()};
	struct answer a;
	const char *why;
	int r;

	w.access = random_access();
	make_tables(vm, w.gva, lab_random() & 0xffffff000, lab_random() & 3);
	memcpy(before, oracle_entry(vm, TABLES), sizeof(before));
	walk_begin(&w);
	oracle_walk(&w, true, &a);
	changed = NULL;
	changes = other_cpu;
	r = walk_addr(&w);
	changes = false;
	if (changed) { /* the walk has begun again, and must have ended there */
		oracle_walk(&w, true, &a);
		why = r == -EFAULT && w.error == a.error
			      ? wrong_flags(vm, &w, &a)
			      : "another CPU has changed an entry: the walk must begin again";
	} else {
		why = wrong_walk(&w, r, &a, true) ?: wrong_flags(vm, &w, &a);
	}
	if (why)
		tell_walk(&w, &a, r);
	return why;
}

const char *check_mark_accessed(struct vm *vm)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++)
		why = one_access(vm, i % 8 == 7);
	return why;
}

/* ---- The guest's own walks ---- */

static bool watching;
static u64 walks;
static const char *first_wrong;

void watch_walks(bool on)
{
	watching = on;
}

const char *watched_walks(u64 *count)
{
	*count = walks;
	return first_wrong ?: walks ? NULL : "there was no walk at all";
}

int __wrap_walk_addr(struct guest_walk *w)
{
	struct answer a;
	int r;

	if (!watching || w->mode->levels != 4 || first_wrong || w->access & WALK_CHECKED)
		return __real_walk_addr(w);
	oracle_walk(w, true, &a);
	r = __real_walk_addr(w);
	walks++;
	first_wrong = wrong_walk(w, r, &a, true);
	if (first_wrong)
		tell_walk(w, &a, r);
	return r;
}
