/* SPDX-License-Identifier: MIT */
/*
 * The sub-page permission table, walked as the SDM says.
 */
#include "tests/unit/stubs.h"
#include "errno.h"
#include "ept/sppt.h"

#define PA_OFFSET BIT(50) /* the "physical" address of a table is its address plus this */

static void *pages[64];
static unsigned nr_pages, limit = 64;

static void *alloc_page(void)
{
	void *page;

	if (nr_pages == limit)
		return NULL;
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	assert_non_null(page);
	pages[nr_pages++] = page;
	return memset(page, 0, PAGE_SIZE);
}

/* The entry of the last level for @gpa; ~0: there is none. */
static u64 walk(const struct sppt *sppt, const struct ept *ept, gpa_t gpa)
{
	u64 pa = sppt_pointer(sppt, ept);

	for (int shift = 39;; shift -= 9) {
		u64 entry = ((const u64 *)(uintptr_t)(pa - PA_OFFSET))[gpa >> shift & 511];

		if (shift == 12)
			return entry;
		if (!(entry & 1))
			return ~0ull;
		assert_int_equal(entry & 0xfff, 1);
		pa = entry & EPT_ADDR_MASK;
	}
}

static void test_set(void **state)
{
	struct ept ept = {.ops = {alloc_page, NULL, -PA_OFFSET}};
	struct sppt sppt = {0};

	(void)state;
	assert_int_equal(sppt_pointer(&sppt, &ept), 0);
	assert_int_equal(sppt_set(&sppt, &ept, 0x12345678, 0x80000001), 0);
	assert_int_equal(nr_pages, 4);
	assert_int_equal(walk(&sppt, &ept, 0x12345000), 0x4000000000000001);
	assert_int_equal(walk(&sppt, &ept, 0x12346000), 0);
	assert_int_equal(walk(&sppt, &ept, GIB(1)), ~0ull);
	assert_int_equal(sppt_set(&sppt, &ept, 0x12345000, ~0u), 0);
	assert_int_equal(walk(&sppt, &ept, 0x12345000), 0x5555555555555555);
	assert_int_equal(sppt_set(&sppt, &ept, 0x12346000, 0x6), 0);
	assert_int_equal(walk(&sppt, &ept, 0x12346000), 0x14);
	assert_int_equal(walk(&sppt, &ept, 0x12345000), 0x5555555555555555);
	assert_int_equal(nr_pages, 4);
	assert_int_equal(sppt_set(&sppt, &ept, BIT(47), 1), 0);
	assert_int_equal(walk(&sppt, &ept, BIT(47)), 1);
	assert_int_equal(nr_pages, 7);
	limit = 8;
	assert_int_equal(sppt_set(&sppt, &ept, BIT(46), 1), -ENOMEM);
	limit = 64;
	assert_int_equal(sppt_set(&sppt, &ept, BIT(46), 2), 0);
	assert_int_equal(walk(&sppt, &ept, BIT(46)), 4);
	while (nr_pages)
		free(pages[--nr_pages]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
