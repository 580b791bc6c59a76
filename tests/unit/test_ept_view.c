/* SPDX-License-Identifier: MIT */
/*
 * Views of EPT tables: which pages differ from the original, that the rest is shared, and what is
 * refused.
 */
#include "tests/unit/ept_pages.h"
#include "errno.h"
#include "ept/view.h"

static const struct ept_caps caps = {
	.page_2m = true, .page_1g = true, .ad = true, .exec_only = true, .phys_bits = 46};

/* The entry at which a walk of @view for @gpa ends. */
static u64 seen(const struct ept *ept, const struct ept_view *view, gpa_t gpa)
{
	struct ept through = *ept;
	struct ept_mapping map;

	through.root = view->table[0];
	ept_walk(&through, gpa, &map);
	return map.entry;
}

static u64 original(const struct ept *ept, gpa_t gpa)
{
	struct ept_mapping map;

	ept_walk(ept, gpa, &map);
	return map.entry;
}

static void begin(struct ept *ept, struct ept_view *view)
{
	assert_int_equal(ept_init(ept, &ops, &caps), 0);
	assert_int_equal(ept_map(ept, 0, 0, GIB(600), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(ept_view_init(view, ept), 0);
}

static void end(struct ept *ept, struct ept_view *view)
{
	ept_view_free(view, ept);
	assert_int_equal(ept_unmap(ept, 0, EPT_GPA_END), 0);
	ept_reclaim(ept);
	assert_int_equal(pages_allocated, 1);
	free_page(ept->root);
	pages_allocated = 0;
}

static void test_open(void **state)
{
	struct ept_view view;
	struct ept ept;

	(void)state;
	begin(&ept, &view);
	assert_int_equal(ept_hold(&ept, MIB(2), MIB(2), 0, MEMTYPE_WB), 0);
	assert_int_equal(ept_hold(&ept, MIB(2) + 0x1000, MIB(2) + 0x1000, EPT_R, MEMTYPE_WB), 0);
	assert_int_equal(ept_hold(&ept, GIB(513), GIB(513), EPT_X, MEMTYPE_UC), 0);
	ept_view_begin(&view, &ept);
	assert_int_equal(ept_view_pointer(&view, &ept),
			 ((uintptr_t)view.table[0] + PA_OFFSET) | 0x40 | 0x18 | 6);
	assert_int_equal(seen(&ept, &view, MIB(2)), MIB(2) | 0x830);

	/* One page is open; its neighbours, and the original, are as before. */
	assert_int_equal(ept_view_open(&view, &ept, MIB(2), MIB(2), EPT_R | EPT_W, MEMTYPE_WB), 0);
	assert_int_equal(view.nr_used, 4);
	assert_int_equal(seen(&ept, &view, MIB(2)), MIB(2) | 0x833);
	assert_int_equal(original(&ept, MIB(2)), MIB(2) | 0x830);
	for (gpa_t gpa = 0; gpa < GIB(600); gpa += gpa < MIB(8) ? PAGE_SIZE : MIB(512))
		if (gpa != MIB(2))
			assert_int_equal(seen(&ept, &view, gpa), original(&ept, gpa));

	/* A second one in the same table; then open in another way, with other memory. */
	assert_int_equal(ept_view_open(&view, &ept, MIB(2) + 0x1000, MIB(7), EPT_X, MEMTYPE_WB), 0);
	assert_int_equal(view.nr_used, 4);
	assert_int_equal(seen(&ept, &view, MIB(2) + 0x1000), MIB(7) | 0x834);
	assert_int_equal(ept_view_open(&view, &ept, MIB(2), MIB(9), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(seen(&ept, &view, MIB(2)), MIB(9) | 0x837);
	/* A third one, all the way elsewhere. */
	assert_int_equal(ept_view_open(&view, &ept, GIB(513), GIB(513), EPT_RWX, MEMTYPE_UC), 0);
	assert_int_equal(view.nr_used, 7);
	assert_int_equal(seen(&ept, &view, GIB(513)), GIB(513) | 0x807);
	assert_int_equal(seen(&ept, &view, MIB(2)), MIB(9) | 0x837);

	/* Begun again, it is closed. As nothing has changed, nothing is copied. */
	ept_view_begin(&view, &ept);
	assert_int_equal(view.nr_used, 7);
	for (gpa_t gpa = 0; gpa < GIB(600); gpa += gpa < MIB(8) ? PAGE_SIZE : MIB(512))
		assert_int_equal(seen(&ept, &view, gpa), original(&ept, gpa));
	assert_int_equal(ept_view_open(&view, &ept, MIB(2), MIB(9), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(view.nr_used, 7);
	assert_int_equal(seen(&ept, &view, MIB(2)), MIB(9) | 0x837);

	/* What is mapped elsewhere appears at once: these tables are shared. */
	assert_int_equal(ept_unmap(&ept, GIB(40), MIB(2)), 0);
	ept_view_begin(&view, &ept);
	assert_int_equal(seen(&ept, &view, MIB(2)), MIB(2) | 0x830);
	assert_int_equal(ept_view_open(&view, &ept, MIB(2), MIB(2), EPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(ept_map_hole(&ept, GIB(40), PAGE_SIZE, MEMTYPE_UC), 0);
	assert_int_equal(seen(&ept, &view, GIB(40)), GIB(40) | 0x7);
	/* What is mapped on the way does when the view begins again. */
	assert_int_equal(ept_map_hole(&ept, GIB(700), GIB(1), MEMTYPE_UC), 0);
	assert_int_equal(ept_unmap(&ept, MIB(4), MIB(2)), 0);
	assert_int_equal(seen(&ept, &view, MIB(4)),
			 original(&ept, MIB(2) + 0x5000) + MIB(2) - 0x5000 + 0x80);
	ept_view_begin(&view, &ept);
	assert_int_equal(seen(&ept, &view, MIB(4)), 0);
	assert_int_equal(seen(&ept, &view, GIB(700)), GIB(700) | 0x87);
	end(&ept, &view);
}

static void test_refusals(void **state)
{
	struct ept_view view;
	struct ept ept;
	unsigned n = 0;

	(void)state;
	begin(&ept, &view);
	ept_view_free(&view, &ept);
	fail_after = 3;
	assert_int_equal(ept_view_init(&view, &ept), -ENOMEM);
	ept_view_free(&view, &ept);
	fail_after = ~0ull;
	assert_int_equal(ept_view_init(&view, &ept), 0);
	assert_int_equal(view.nr_tables, 4);

	/* In a large page, in a hole, and in a small page that is not held. */
	ept_view_begin(&view, &ept);
	assert_int_equal(ept_view_open(&view, &ept, MIB(2), MIB(2), EPT_R, MEMTYPE_WB), -EINVAL);
	assert_int_equal(ept_view_open(&view, &ept, GIB(999), 0, EPT_R, MEMTYPE_WB), -EINVAL);
	assert_int_equal(ept_hold(&ept, MIB(2), MIB(2), 0, MEMTYPE_WB), 0);
	ept_view_begin(&view, &ept);
	assert_int_equal(ept_view_open(&view, &ept, MIB(2) + PAGE_SIZE, 0, EPT_R, MEMTYPE_WB),
			 -EINVAL);

	/* Memory for one page is there; for more it must be found, and there is a limit. */
	for (gpa_t gpa = GIB(2); gpa < GIB(30); gpa += GIB(1))
		assert_int_equal(ept_hold(&ept, gpa, gpa, 0, MEMTYPE_WB), 0);
	fail_after = 1;
	ept_view_begin(&view, &ept);
	assert_int_equal(ept_view_open(&view, &ept, MIB(2), MIB(2), EPT_R, MEMTYPE_WB), 0);
	assert_int_equal(ept_view_open(&view, &ept, GIB(2), GIB(2), EPT_R, MEMTYPE_WB), -ENOMEM);
	assert_int_equal(seen(&ept, &view, GIB(2)), GIB(2) | 0x830);
	fail_after = ~0ull;
	for (gpa_t gpa = GIB(2); gpa < GIB(30); gpa += GIB(1))
		n += !ept_view_open(&view, &ept, gpa, gpa, EPT_R, MEMTYPE_WB);
	assert_int_equal(n, EPT_VIEW_OPEN - 1);
	assert_int_equal(seen(&ept, &view, GIB(3)), GIB(3) | 0x831);
	end(&ept, &view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
