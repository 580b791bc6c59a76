// SPDX-License-Identifier: MIT
/*
 * The walk of a guest's page tables: rights, error codes, flags, in each mode of paging.
 */
#include "tests/unit/stubs.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "vmm/memslot.h"
#include "vmm/x86/guest_walk.h"

#define PAGES 16
#define W     PF_ERROR_W
#define U     PF_ERROR_U
#define P     PF_ERROR_P
#define F     PF_ERROR_FETCH
#define R     PF_ERROR_RSVD
#define PK    PF_ERROR_PK

/* Tables, from the top: page 5 - level + 1; the page that is mapped: TARGET. */
#define TABLE(level) ((gpa_t)(6 - (level)) << PAGE_SHIFT)
#define TARGET       0x9000ull

static u8 memory[PAGES * PAGE_SIZE] __aligned(4096);
static u32 pkru, pkrs;
static struct paging_mode mode;

u64 gfn_to_hva(struct vm *vm, gfn_t gfn)
{
	(void)vm;
	return gfn < PAGES ? (u64)memory + (gfn << PAGE_SHIFT) : 0;
}

static u64 get(gpa_t at)
{
	u64 value = 0;

	memcpy(&value, memory + at, mode.entry_size);
	return value;
}

static void set(gpa_t at, u64 value)
{
	memcpy(memory + at, &value, mode.entry_size);
}

static u64 index_of(gva_t gva, int level)
{
	return gva >> level_shift(&mode, level) & (BIT(mode.index_bits) - 1);
}

static gpa_t entry_at(gva_t gva, int level)
{
	return TABLE(level) + index_of(gva, level) * mode.entry_size;
}

static gpa_t changing; /* the entry there changes while keys are looked up; 0: none */

static u32 keys(bool user)
{
	if (changing)
		set(changing, get(changing) ^ BIT(52));
	return user ? pkru : pkrs;
}

/* Map @gva to TARGET, all that is allowed, in a mode of @levels. */
static void build(int levels, gva_t gva)
{
	memset(memory, 0, sizeof(memory));
	mode = (struct paging_mode){
		.levels = (u8)levels,
		.entry_size = levels == 2 ? 4 : 8,
		.index_bits = levels == 2 ? 10 : 9,
		.phys_bits = 40,
		.nx = levels > 2,
		.wp = true,
		.pse = levels == 2,
		.page_1g = true,
		.root = TABLE(levels),
	};
	for (int level = levels; level > 1; level--)
		set(entry_at(gva, level), TABLE(level - 1) | PT_P | PT_W | PT_U);
	if (levels == 3)
		set(entry_at(gva, 3), TABLE(2) | PT_P);
	set(entry_at(gva, 1), TARGET | PT_P | PT_W | PT_U);
	pkru = pkrs = 0;
}

static int walk(gva_t gva, u32 access, struct guest_walk *w)
{
	*w = (struct guest_walk){.mode = &mode, .gva = gva, .access = access, .keys = keys};
	walk_begin(w);
	return walk_addr(w);
}

static void allows(gva_t gva, u32 access)
{
	struct guest_walk w;

	assert_int_equal(walk(gva, access, &w), 0);
	assert_int_equal(w.gpa, TARGET | (gva & 0xfff));
}

static void refuses(gva_t gva, u32 access, u32 error)
{
	static u8 before[sizeof(memory)];
	struct guest_walk w;

	memcpy(before, memory, sizeof(memory));
	assert_int_equal(walk(gva, access, &w), -EFAULT);
	assert_int_equal(w.error, error);
	assert_memory_equal(before, memory, sizeof(memory)); /* no flag has been set */
}

static const gva_t addresses[] = {
	[2] = 0xffc01234, 0xc0201234, 0xffff880012345678, 0xff11223344556789};

static void every_level_counts(void **state)
{
	(void)state;
	for (int levels = 2; levels <= 5; levels++) {
		gva_t gva = addresses[levels];

		build(levels, gva);
		allows(gva, W | U);
		for (int level = levels; level; level--) {
			bool pdpte = levels == 3 && level == 3;
			gpa_t at = entry_at(gva, level);
			u64 entry;

			build(levels, gva);
			entry = get(at);
			set(at, entry & ~PT_P);
			refuses(gva, W | U, W | U);
			if (pdpte)
				continue;
			set(at, entry & ~PT_W);
			allows(gva, U);
			refuses(gva, W | U, W | U | P);
			refuses(gva, W, W | P);
			mode.wp = false;
			refuses(gva, W | U, W | U | P);
			allows(gva, W);
			mode.wp = true;
			set(at, entry & ~PT_U);
			allows(gva, W);
			refuses(gva, U, U | P);
			if (levels == 2)
				continue;
			set(at, entry | PT_NX);
			allows(gva, U);
			refuses(gva, F | U, F | U | P);
			mode.nx = false;
			refuses(gva, U, U | P | R);
			refuses(gva, F, P | R);
		}
	}
}

static void flags_are_set_as_the_access_does(void **state)
{
	(void)state;
	for (int levels = 2; levels <= 5; levels++) {
		gva_t gva = addresses[levels];
		struct guest_walk w;

		for (int write = 0; write < 2; write++) {
			build(levels, gva);
			assert_int_equal(walk(gva, write ? W : 0, &w), 0);
			for (int level = levels; level; level--) {
				u64 flags = levels == 3 && level == 3 ? 0 : PT_A;

				if (level == 1 && write)
					flags |= PT_D;
				assert_int_equal(get(entry_at(gva, level)) & (PT_A | PT_D), flags);
				assert_int_equal(w.entry[level], get(entry_at(gva, level)));
				assert_int_equal(w.at[level], entry_at(gva, level));
			}
		}
		build(levels, gva);
		assert_int_equal(walk(gva, W | (u32)WALK_CHECKED, &w), 0);
		assert_int_equal(get(entry_at(gva, 1)) & (PT_A | PT_D), 0);
	}
}

static void reserved_bits(void **state)
{
	gva_t gva = addresses[4];

	(void)state;
	build(4, gva);
	for (int level = 4; level; level--) {
		u64 entry = get(entry_at(gva, level));

		for (unsigned bit = 40; bit < 52; bit++) {
			set(entry_at(gva, level), entry | BIT(bit));
			refuses(gva, 0, P | R);
		}
		for (unsigned bit = 52; bit < 63; bit++) {
			set(entry_at(gva, level), entry | BIT(bit));
			allows(gva, 0);
		}
		set(entry_at(gva, level), entry);
	}
	set(entry_at(gva, 4), get(entry_at(gva, 4)) | PT_PS);
	refuses(gva, U, U | P | R);
	build(4, gva);
	mode.page_1g = false;
	set(entry_at(gva, 3), PT_PS | PT_P);
	refuses(gva, 0, P | R);
	build(3, addresses[3]);
	set(entry_at(addresses[3], 1), get(entry_at(addresses[3], 1)) | BIT(52));
	refuses(addresses[3], 0, P | R);
}

static void large_pages(void **state)
{
	struct guest_walk w;

	(void)state;
	build(4, addresses[4]);
	set(entry_at(addresses[4], 2), 0x40000000 | PT_LARGE_PAT | PT_PS | PT_P);
	assert_int_equal(walk(addresses[4], 0, &w), 0);
	assert_int_equal(w.level, 2);
	assert_int_equal(w.gpa, 0x40000000 | (addresses[4] & 0x1fffff));
	set(entry_at(addresses[4], 2), 0x40002000 | PT_PS | PT_P);
	refuses(addresses[4], 0, P | R);
	set(entry_at(addresses[4], 3), 0x40000000 | PT_PS | PT_P);
	assert_int_equal(walk(addresses[4], 0, &w), 0);
	assert_int_equal(w.gpa, 0x40000000 | (addresses[4] & 0x3fffffff));
	/* 4 MiB, above 4 GiB; without PSE, a table. */
	build(2, addresses[2]);
	set(entry_at(addresses[2], 2), 0x80000000 | 5 << 13 | PT_PS | PT_P);
	assert_int_equal(walk(addresses[2], 0, &w), 0);
	assert_int_equal(w.gpa, 0x580000000 | (addresses[2] & 0x3fffff));
	set(entry_at(addresses[2], 2), BIT(21) | PT_PS | PT_P);
	refuses(addresses[2], 0, P | R);
	mode.pse = false;
	set(entry_at(addresses[2], 2), TABLE(1) | PT_PS | PT_P | PT_U);
	allows(addresses[2], U);
}

static void supervisor_and_user_pages(void **state)
{
	gva_t gva = addresses[4];

	(void)state;
	build(4, gva);
	mode.smep = true;
	refuses(gva, F, F | P);
	allows(gva, F | U);
	mode.smap = true;
	refuses(gva, 0, P);
	refuses(gva, W, W | P);
	allows(gva, (u32)WALK_AC);
	allows(gva, W | U);
	set(entry_at(gva, 2), get(entry_at(gva, 2)) & ~PT_U);
	allows(gva, F);
	allows(gva, W);
}

static void protection_keys(void **state)
{
	gva_t gva = addresses[4];
	struct guest_walk w;

	(void)state;
	build(4, gva);
	set(entry_at(gva, 1), get(entry_at(gva, 1)) | 3ull << 59);
	pkru = 1u << 6; /* no access with key 3 */
	allows(gva, U);
	mode.pke = true;
	refuses(gva, U, U | P | PK);
	refuses(gva, 0, P | PK);
	allows(gva, F | U);
	pkru = 2u << 6; /* no write */
	allows(gva, U);
	refuses(gva, W | U, W | U | P | PK);
	mode.wp = false;
	allows(gva, W);
	/* As to a read-only page: the caller sees that CR0.WP = 0 is needed. */
	assert_int_equal(walk(gva, W, &w), 0);
	assert_int_equal(w.leaf_acc, ACC_U | ACC_X);
	assert_int_equal(walk(gva, 0, &w), 0);
	assert_int_equal(w.leaf_acc, ACC_ALL);
	set(entry_at(gva, 2), get(entry_at(gva, 2)) & ~PT_U);
	mode.pks = true;
	pkrs = 1u << 6;
	refuses(gva, 0, P | PK);
}

/* Another CPU writes to the entry between each reading of it and the setting of its flag. */
static void entries_that_change_all_the_time(void **state)
{
	gva_t gva = addresses[4];
	struct guest_walk w;

	(void)state;
	build(4, gva);
	mode.pke = true;
	changing = entry_at(gva, 1);
	assert_int_equal(walk(gva, 0, &w), -EAGAIN);
	changing = 0;
	allows(gva, 0);
}

static void tables_outside_of_memory(void **state)
{
	gva_t gva = addresses[4];
	struct guest_walk w;

	(void)state;
	build(4, gva);
	set(entry_at(gva, 2), 0x10000000 | PT_P);
	assert_int_equal(walk(gva, 0, &w), -EFAULT);
	assert_int_equal(w.error, P | R);
	mode.levels = 0;
	assert_int_equal(walk(0x123456789, W, &w), 0);
	assert_int_equal(w.gpa, 0x23456789);
}

static void loaded_pdptes(void **state)
{
	static u64 pdpte[4];
	gva_t gva = addresses[3];
	struct guest_walk w;

	(void)state;
	build(3, gva);
	mode.pdpte = pdpte;
	refuses(gva, 0, 0);
	pdpte[gva >> 30] = TABLE(2) | PT_P;
	set(entry_at(gva, 3), 0);
	allows(gva, W | U);
	assert_int_equal(walk(gva, 0, &w), 0);
	assert_int_equal(w.rights[2], ACC_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_counts),
		cmocka_unit_test(flags_are_set_as_the_access_does),
		cmocka_unit_test(reserved_bits),
		cmocka_unit_test(large_pages),
		cmocka_unit_test(supervisor_and_user_pages),
		cmocka_unit_test(protection_keys),
		cmocka_unit_test(entries_that_change_all_the_time),
		cmocka_unit_test(tables_outside_of_memory),
		cmocka_unit_test(loaded_pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
