/* SPDX-License-Identifier: MIT */
/*
 * Memory types: MTRRs of real machines, and random MTRRs compared with a simple implementation of
 * the SDM's rules.
 */
#include "tests/unit/stubs.h"
#include "errno.h"
#include "ept/memtype.h"

#define VALID BIT(11)

/* Set variable range @n to [base, base + size); size is a power of two. */
static void set_var(struct mtrr_state *m, int n, u64 base, u64 size, int type)
{
	m->var[n].base = base | (u64)type;
	m->var[n].mask = (~(size - 1) & GENMASK(m->phys_bits - 1, 12)) | VALID;
	m->nr_var = MAX(m->nr_var, n + 1);
}

/* The first MiB as firmware sets it: RAM, then the VGA window uncached, then ROM. */
static void set_fixed(struct mtrr_state *m)
{
	m->fixed_enabled = true;
	m->fixed[0] = m->fixed[1] = 0x0606060606060606;
	m->fixed[2] = 0;
	for (int i = 3; i < MTRR_NR_FIXED; i++)
		m->fixed[i] = 0x0505050505050505;
}

static void test_bochs(void **state)
{
	struct mtrr_state m = {.enabled = true, .default_type = MEMTYPE_WB, .phys_bits = 39};

	(void)state;
	set_fixed(&m);
	set_var(&m, 0, 0xc0000000, GIB(1), MEMTYPE_UC);
	m.nr_var = 8;
	assert_int_equal(mtrr_type(&m, 0), MEMTYPE_WB);
	assert_int_equal(mtrr_type(&m, 0x9f000), MEMTYPE_WB);
	assert_int_equal(mtrr_type(&m, 0xa0000), MEMTYPE_UC);
	assert_int_equal(mtrr_type(&m, 0xbf000), MEMTYPE_UC);
	assert_int_equal(mtrr_type(&m, 0xc0000), MEMTYPE_WP);
	assert_int_equal(mtrr_type(&m, 0xfffff), MEMTYPE_WP);
	assert_int_equal(mtrr_type(&m, 0x100000), MEMTYPE_WB);
	assert_int_equal(mtrr_type(&m, 0xbffff000), MEMTYPE_WB);
	assert_int_equal(mtrr_type(&m, 0xc0000000), MEMTYPE_UC);
	assert_int_equal(mtrr_type(&m, 0xfffff000), MEMTYPE_UC);
	assert_int_equal(mtrr_type(&m, GIB(4)), MEMTYPE_WB);

	assert_int_equal(mtrr_uniform_end(&m, 0, GIB(512)), 0xa0000);
	assert_int_equal(mtrr_uniform_end(&m, 0xa0000, GIB(512)), 0xc0000);
	assert_int_equal(mtrr_uniform_end(&m, 0xc0000, GIB(512)), 0x100000);
	assert_int_equal(mtrr_uniform_end(&m, 0x100000, GIB(512)), 0xc0000000);
	assert_int_equal(mtrr_uniform_end(&m, 0xc0000000, GIB(512)), GIB(4));
	assert_int_equal(mtrr_uniform_end(&m, GIB(4), GIB(512)), GIB(512));
	assert_int_equal(mtrr_uniform_end(&m, GIB(4), EPT_GPA_END), EPT_GPA_END);
	assert_int_equal(mtrr_uniform_end(&m, 0x200000, 0x300000), 0x300000);

	m.fixed_enabled = false;
	assert_int_equal(mtrr_uniform_end(&m, 0, GIB(512)), 0xc0000000);
	m.enabled = false;
	assert_int_equal(mtrr_type(&m, GIB(2)), MEMTYPE_UC);
	assert_int_equal(mtrr_uniform_end(&m, 0, GIB(512)), GIB(512));
}

/* A PC with 8 GiB: default UC, write-back ranges that add up, a UC hole, a WC frame buffer. */
static void test_pc(void **state)
{
	struct mtrr_state m = {.enabled = true, .default_type = MEMTYPE_UC, .phys_bits = 39};

	(void)state;
	set_var(&m, 0, 0, GIB(4), MEMTYPE_WB);
	set_var(&m, 1, GIB(4), GIB(4), MEMTYPE_WB);
	set_var(&m, 2, GIB(8), MIB(512), MEMTYPE_WB);
	set_var(&m, 3, 0xe0000000, MIB(512), MEMTYPE_UC);
	set_var(&m, 4, 0xdf000000, MIB(16), MEMTYPE_UC);
	set_var(&m, 5, GIB(16), MIB(256), MEMTYPE_WC);
	m.nr_var = 10;
	assert_int_equal(mtrr_uniform_end(&m, 0, GIB(512)), 0xdf000000);
	assert_int_equal(mtrr_uniform_end(&m, 0xdf000000, GIB(512)), GIB(4));
	assert_int_equal(mtrr_uniform_end(&m, GIB(4), GIB(512)), GIB(8) + MIB(512));
	assert_int_equal(mtrr_uniform_end(&m, GIB(9), GIB(512)), GIB(16));
	assert_int_equal(mtrr_type(&m, GIB(16)), MEMTYPE_WC);
	assert_int_equal(mtrr_uniform_end(&m, GIB(16), GIB(512)), GIB(16) + MIB(256));
	assert_int_equal(mtrr_type(&m, GIB(20)), MEMTYPE_UC);

	/* A page is as large as its type is the same, and not larger than asked for. */
	assert_int_equal(mtrr_uniform_page(&m, GIB(9) + 0x123000, GIB(1)), GIB(1));
	assert_int_equal(mtrr_uniform_page(&m, GIB(9), MIB(2)), MIB(2));
	assert_int_equal(mtrr_uniform_page(&m, GIB(8) + 0x1000, GIB(1)), MIB(2));
	assert_int_equal(mtrr_uniform_page(&m, GIB(16) + MIB(300), GIB(1)), MIB(2));
	assert_int_equal(mtrr_uniform_page(&m, GIB(16), PAGE_SIZE), PAGE_SIZE);
	set_var(&m, 6, GIB(17), 0x1000, MEMTYPE_WT);
	assert_int_equal(mtrr_uniform_page(&m, GIB(17) + MIB(1), GIB(1)), PAGE_SIZE);
	assert_int_equal(mtrr_uniform_page(&m, GIB(17) + MIB(2), GIB(1)), MIB(2));

	assert_int_equal(mtrr_last_change(&m, GIB(4)), GIB(17) + 0x1000);
	assert_int_equal(mtrr_last_change(&m, GIB(30)), GIB(30));
	m.default_type = MEMTYPE_WB;
	set_var(&m, 7, GIB(256), GIB(256), MEMTYPE_UC); /* up to the end */
	assert_int_equal(mtrr_last_change(&m, GIB(4)), GIB(256));
	m.enabled = false;
	assert_int_equal(mtrr_last_change(&m, GIB(4)), GIB(4));
	assert_int_equal(mtrr_uniform_page(&m, GIB(8), GIB(1)), GIB(1));
}

static void test_precedence(void **state)
{
	static const struct {
		int a, b, both;
	} cases[] = {
		{MEMTYPE_WB, MEMTYPE_WB, MEMTYPE_WB},
		{MEMTYPE_WB, MEMTYPE_UC, MEMTYPE_UC},
		{MEMTYPE_UC, MEMTYPE_WT, MEMTYPE_UC},
		{MEMTYPE_WT, MEMTYPE_WB, MEMTYPE_WT},
		{MEMTYPE_WB, MEMTYPE_WT, MEMTYPE_WT},
		{MEMTYPE_WC, MEMTYPE_WB, MEMTYPE_UC},
		{MEMTYPE_WP, MEMTYPE_WT, MEMTYPE_UC},
		{7, MEMTYPE_WB, MEMTYPE_UC},
		{2, 2, MEMTYPE_UC},
		{MEMTYPE_WC, MEMTYPE_WC, MEMTYPE_WC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mtrr_state m = {
			.enabled = true, .default_type = MEMTYPE_WP, .phys_bits = 36};

		set_var(&m, 0, 0, GIB(2), cases[i].a);
		set_var(&m, 1, GIB(1), GIB(1), cases[i].b);
		assert_int_equal(mtrr_type(&m, GIB(1)), cases[i].both);
		assert_int_equal(mtrr_type(&m, GIB(3)), MEMTYPE_WP);
		m.var[1].mask &= ~VALID;
		assert_int_equal(mtrr_type(&m, GIB(1)), mtrr_type(&m, 0));
	}
}

/* The SDM's rules, page by page. */
static int oracle_type(const struct mtrr_state *m, u64 pa)
{
	static const u64 fixed_base[] = {0,       0x80000, 0xa0000, 0xc0000, 0xc8000, 0xd0000,
					 0xd8000, 0xe0000, 0xe8000, 0xf0000, 0xf8000, 0x100000};
	bool seen[256] = {false};
	int count = 0, only = 0;

	if (!m->enabled)
		return MEMTYPE_UC;
	for (int i = 0; m->fixed_enabled && i < MTRR_NR_FIXED; i++) {
		u64 step = (fixed_base[i + 1] - fixed_base[i]) / 8;

		if (pa >= fixed_base[i] && pa < fixed_base[i + 1])
			return (int)(m->fixed[i] >> (pa - fixed_base[i]) / step * 8 & 0xff);
	}
	for (int i = 0; i < m->nr_var; i++) {
		u64 mask = m->var[i].mask & GENMASK(m->phys_bits - 1, 12);

		if ((m->var[i].mask & VALID) && (pa & mask) == (m->var[i].base & mask))
			seen[m->var[i].base & 0xff] = true;
	}
	for (int type = 0; type < 256; type++) {
		count += seen[type];
		only = seen[type] ? type : only;
	}
	if (!count)
		return m->default_type;
	if (count == 1)
		return only;
	return count == 2 && seen[MEMTYPE_WT] && seen[MEMTYPE_WB] ? MEMTYPE_WT : MEMTYPE_UC;
}

static int random_type(u64 *seed)
{
	static const u8 types[] = {0, 1, 4, 5, 6, 6, 6};

	return types[rand_below(seed, sizeof(types))];
}

/* A machine of 64 MiB (phys_bits 26), small enough to check every page. */
static void random_mtrrs(struct mtrr_state *m, u64 *seed)
{
	*m = (struct mtrr_state){.enabled = rand_below(seed, 16),
				 .fixed_enabled = rand_below(seed, 2),
				 .default_type = (u8)random_type(seed),
				 .phys_bits = 26};
	for (int i = 0; i < MTRR_NR_FIXED * 8; i++)
		m->fixed[i / 8] |= (u64)random_type(seed) << (i % 8 * 8);
	for (u64 i = rand_below(seed, 6); i; i--) {
		set_var(m, (int)i - 1, rand_next(seed) & GENMASK(51, 12),
			PAGE_SIZE << rand_below(seed, 15), random_type(seed));
		if (rand_below(seed, 4) == 0) /* a mask with holes */
			m->var[i - 1].mask &= rand_next(seed) | VALID;
		if (rand_below(seed, 8) == 0)
			m->var[i - 1].mask &= ~VALID;
	}
}

static void test_random(void **state)
{
	const u64 end = BIT(26);
	struct mtrr_state m;
	u64 seed = 1;

	(void)state;
	for (int round = 0; round < 400; round++) {
		u64 steps = 0;

		random_mtrrs(&m, &seed);
		for (u64 pa = 0, uniform; pa < end; pa = uniform, steps++) {
			int type = mtrr_type(&m, pa);

			uniform = mtrr_uniform_end(&m, pa, end);
			assert_true(uniform > pa && uniform <= end);
			for (u64 page = pa; page < uniform; page += PAGE_SIZE) {
				assert_int_equal(type, oracle_type(&m, page));
				if (page % 0x35000 == 0)
					assert_int_equal(mtrr_uniform_end(&m, page, end), uniform);
			}
			if (uniform < end)
				assert_int_not_equal(oracle_type(&m, uniform), type);
		}
		assert_true(steps <= end / PAGE_SIZE);
	}
}

/* Every other page is a range, of the same type as the rest: the search must end all the same. */
static void test_no_endless_search(void **state)
{
	struct mtrr_state m = {.enabled = true, .default_type = 6, .nr_var = 1, .phys_bits = 52};
	u64 end;

	(void)state;
	m.var[0].base = MEMTYPE_WB;
	m.var[0].mask = 0x1000 | VALID;
	end = mtrr_uniform_end(&m, MIB(1), EPT_GPA_END);
	assert_true(end > MIB(2) && end < EPT_GPA_END && IS_ALIGNED(end, PAGE_SIZE));

	m.var[0].base = MEMTYPE_UC; /* another type, on every other page */
	assert_int_equal(mtrr_last_change(&m, GIB(4)), BIT(52));
	m.var[0].base = MEMTYPE_WB;

	m.var[0].mask = VALID; /* compares no bits: matches everywhere */
	m.var[0].base = MEMTYPE_WT;
	assert_int_equal(mtrr_type(&m, 0x123456000), MEMTYPE_WT);
	assert_int_equal(mtrr_uniform_end(&m, 0, EPT_GPA_END), EPT_GPA_END);
	m.phys_bits = 40;
	assert_int_equal(mtrr_uniform_end(&m, 0, EPT_GPA_END), BIT(40));
	m.nr_var = 255; /* more than the array has */
	assert_int_equal(mtrr_type(&m, 0x123456000), MEMTYPE_WT);
}

static int pages_allocated; /* and not freed */

static void *alloc_page(void)
{
	pages_allocated++;
	return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}

static void free_page(void *page)
{
	pages_allocated--;
	free(page);
}

static void end(struct ept *ept)
{
	assert_int_equal(ept_unmap(ept, 0, EPT_GPA_END), 0);
	ept_reclaim(ept);
	free_page(ept->root);
}

static void test_identity(void **state)
{
	const struct ept_ops ops = {alloc_page, free_page, 0};
	const struct ept_caps caps = {.page_2m = true, .page_1g = true, .phys_bits = 39};
	struct mtrr_state m = {.enabled = true, .default_type = MEMTYPE_WB, .phys_bits = 39};
	struct ept_mapping map;
	struct ept ept;
	u64 seed = 7;

	(void)state;
	set_fixed(&m);
	set_var(&m, 0, 0xc0000000, GIB(1), MEMTYPE_UC);
	assert_int_equal(ept_init(&ept, &ops, &caps), 0);
	assert_int_equal(ept_map_identity(&ept, &m, GIB(1), GIB(1), EPT_RWX), -EINVAL);
	assert_int_equal(ept_map_identity(&ept, &m, 0x800, GIB(1), EPT_RWX), -EINVAL);
	assert_int_equal(ept_map_identity(&ept, &m, 0, GIB(512), EPT_RWX), 0);
	/* PML4 and PDPT, and a PD and a PT for the first 2 MiB. */
	assert_int_equal(pages_allocated, 4);
	end(&ept);

	for (int round = 0; round < 30; round++) {
		random_mtrrs(&m, &seed);
		assert_int_equal(ept_init(&ept, &ops, &caps), 0);
		assert_int_equal(ept_map_identity(&ept, &m, 0, BIT(26), EPT_R), 0);
		for (u64 pa = 0; pa < BIT(26); pa += PAGE_SIZE) {
			assert_true(ept_walk(&ept, pa, &map));
			assert_int_equal(map.hpa, pa);
			assert_int_equal(map.prot, EPT_R);
			assert_int_equal(map.memtype, mtrr_type(&m, pa));
		}
		assert_false(ept_walk(&ept, BIT(26), &map));
		end(&ept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bochs),
		cmocka_unit_test(test_pc),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_no_endless_search),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
