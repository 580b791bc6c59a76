// SPDX-License-Identifier: MIT
/*
 * Shadow entries: what of the guest's entry, and of the second-level tables, is in them; and which
 * shadow page is for which table.
 */
#include "tests/unit/stubs.h"
#include "shadow/spte.h"

#define HPA 0x123456000ull

static const struct paging_mode four_levels = {
	.levels = 4, .entry_size = 8, .index_bits = 9, .phys_bits = 40, .nx = true, .wp = true};

static void rights_are_what_both_allow(void **state)
{
	(void)state;
	for (unsigned acc = 0; acc <= ACC_ALL; acc++) {
		for (unsigned prot = 0; prot < 4; prot++) {
			unsigned second = EPT_R | (prot & 1 ? EPT_W : 0) | (prot & 2 ? EPT_X : 0);
			u64 spte = make_spte(1, HPA, acc, second, PT_P | PT_A | PT_D, 1);

			assert_int_equal(spte & PT_ADDR, HPA);
			assert_int_equal(spte & (PT_P | PT_A), PT_P | PT_A);
			assert_int_equal(!!(spte & PT_U), !!(acc & ACC_U));
			assert_int_equal(!!(spte & PT_W), acc & ACC_W && second & EPT_W);
			assert_int_equal(!(spte & PT_NX), acc & ACC_X && second & EPT_X);
			/* Of pages of shadow stacks there are none. */
			assert_int_equal(!!(spte & PT_D), !!(spte & PT_W));
			assert_int_equal(spte & PT_G, 0);
		}
	}
}

static void clean_pages_are_read_only(void **state)
{
	struct paging_mode mode = four_levels, none = {.levels = 0};

	(void)state;
	assert_int_equal(leaf_rights(&mode, ACC_ALL, PT_D, false), ACC_ALL);
	assert_int_equal(leaf_rights(&mode, ACC_ALL, 0, false), ACC_U | ACC_X);
	assert_int_equal(leaf_rights(&none, ACC_ALL, 0, false), ACC_ALL);
	/* CR0.WP = 0: the supervisor writes to a page that is not writable. */
	mode.wp = false;
	assert_int_equal(leaf_rights(&mode, ACC_U | ACC_X, PT_D, true), ACC_W | ACC_X);
	mode.smep = true;
	assert_int_equal(leaf_rights(&mode, ACC_U | ACC_X, PT_D, true), ACC_W);
	/* SMEP is for user pages only. */
	assert_int_equal(leaf_rights(&mode, ACC_X, PT_D, true), ACC_W | ACC_X);
	assert_int_equal(leaf_rights(&mode, 0, PT_D, true), ACC_W);
}

/* The bits for caching have other places in large pages, and go along to the parts of one. */
static void caching_and_keys(void **state)
{
	static const u64 key = 9ull << 59;

	(void)state;
	for (unsigned bits = 0; bits < 8; bits++) {
		u64 plain = (bits & 1 ? PT_PWT : 0) | (bits & 2 ? PT_PCD : 0);
		u64 small = plain | (bits & 4 ? PT_PAT : 0);
		u64 large = plain | (bits & 4 ? PT_LARGE_PAT : 0);
		u64 mask = PT_PWT | PT_PCD | PT_PAT | PT_KEY_MASK;

		assert_int_equal(make_spte(1, HPA, ACC_ALL, EPT_RWX, small | key, 1) & mask,
				 small | key);
		assert_int_equal(make_spte(1, HPA, ACC_ALL, EPT_RWX, large | PT_PS | key, 2) & mask,
				 small | key);
		assert_int_equal(make_spte(2, MIB(2), ACC_ALL, EPT_RWX, large | PT_PS | key, 2),
				 MIB(2) | large | key | PT_PS | PT_P | PT_W | PT_U | PT_A | PT_D);
		for (int level = 1; level < 3; level++) {
			union mmu_role role = direct_role(level, ACC_U, large | PT_PS | key, 2);

			assert_int_equal(
				make_direct_spte(role, level, GIB(1), EPT_RWX),
				make_spte(level, GIB(1), ACC_U, EPT_RWX, large | PT_PS | key, 2));
		}
	}
}

static void roles(void **state)
{
	struct paging_mode mode = four_levels;
	union mmu_role root = root_role(&mode, 3, 0), table, other;

	(void)state;
	assert_true(root.level == 4 && root.quadrant == 0 && root.acc == ACC_ALL && !root.direct);
	table = table_role(root, ACC_U, ~0ull);
	assert_true(table.level == 3 && table.quadrant == 0 && table.acc == ACC_U);
	assert_true(is_role_of(root, &mode) && is_role_of(table, &mode));
	mode.nx = false;
	other = root_role(&mode, 0, 0);
	assert_int_not_equal(other.word, root.word);
	assert_false(is_role_of(table, &mode));
	mode = four_levels;
	mode.wp = false;
	other = root_role(&mode, 0, 0);
	mode.smep = true;
	assert_int_not_equal(root_role(&mode, 0, 0).word, other.word);
	other = root_role(&mode, 0, 0);
	mode.smap = true;
	assert_int_not_equal(root_role(&mode, 0, 0).word, other.word);
	/* Pages with entries for one instruction are one vCPU's. */
	assert_int_not_equal(root_role(&mode, 0, 1).word, root_role(&mode, 0, 2).word);
	table = table_role(root_role(&mode, 0, 1), ACC_U, 0);
	assert_true(table.owner == 1 && is_role_of(table, &mode));
	mode.wp = true;
	assert_int_equal(root_role(&mode, 0, 1).word, root_role(&mode, 0, 2).word);
	mode.levels = 5;
	assert_int_equal(root_role(&mode, 0, 0).level, 5);
	/* 32-bit: four page directories of the shadow for the guest's, two page tables for each. */
	mode = (struct paging_mode){.levels = 2, .entry_size = 4, .index_bits = 10, .wp = true};
	for (unsigned n = 0; n < 4; n++) {
		root = root_role(&mode, n, 0);
		assert_true(root.level == 2 && root.quadrant == n);
		assert_int_equal(table_role(root, ACC_ALL, (u64)n << 30).quadrant, 0);
		assert_int_equal(table_role(root, ACC_ALL, (u64)n << 30 | MIB(2)).quadrant, 1);
		assert_true(is_role_of(table_role(root, ACC_U, MIB(2)), &mode));
		assert_false(is_role_of(table_role(root, ACC_U, MIB(2)), &four_levels));
	}
	mode.levels = 0;
	root = root_role(&mode, 1, 0);
	assert_true(root.direct && root.level == 2 && root.acc == ACC_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_are_what_both_allow),
		cmocka_unit_test(clean_pages_are_read_only),
		cmocka_unit_test(caching_and_keys),
		cmocka_unit_test(roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
