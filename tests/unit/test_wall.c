// SPDX-License-Identifier: MIT
/*
 * VM 0's wall: no address leads to hidden memory, also not one with a KeyID.
 */
#include "tests/unit/stubs.h"
#include "vmm/vm0/wall.h"

#define PHYS_BITS   46
#define ACTIVE      (BIT(0) | BIT(1) | 6ull << 32) /* locked, enabled, 6 bits of KeyID: 45:40 */
#define KEY(n)      ((u64)(n) << 40)
#define HIDDEN      0x7fe00000ull
#define HIDDEN_SIZE 0x180000ull
#define LAPIC       0xfee00000ull

static struct vm0 vm0;

static void make(u64 activate)
{
	memset(&vm0, 0, sizeof(vm0));
	vm0.keyid_mask = keyid_mask(activate, PHYS_BITS);
	vm0.hidden[0] = (struct mem_range){HIDDEN, HIDDEN_SIZE, MEM_RESERVED};
	vm0.nr_hidden = 1;
	vm0.lapic_gpa = LAPIC;
}

static void the_keyid_is_what_the_msr_says(void **state)
{
	(void)state;
	assert_true(keyid_mask(ACTIVE, PHYS_BITS) == GENMASK(45, 40));
	assert_true(keyid_mask(BIT(0) | BIT(1) | 15ull << 32, 52) == GENMASK(51, 37));
	assert_true(keyid_mask(0, PHYS_BITS) == 0);
	assert_true(keyid_mask(BIT(0) | BIT(1), PHYS_BITS) == 0);     /* TME with one key */
	assert_true(keyid_mask(BIT(0) | 6ull << 32, PHYS_BITS) == 0); /* off */
	assert_true(keyid_mask(BIT(1) | 6ull << 32, PHYS_BITS) == 0); /* not locked: not in force */
}

static void every_alias_meets_the_wall(void **state)
{
	(void)state;
	make(ACTIVE);
	for (u64 key = 0; key < 64; key++) {
		assert_true(vm0_is_hidden(&vm0, KEY(key) + HIDDEN, 1));
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN, GIB(1)), 0);
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN + HIDDEN_SIZE - 1, GIB(1)),
				 0);
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN + HIDDEN_SIZE, GIB(1)),
				 PAGE_SIZE);
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN - 1, GIB(1)), MIB(2));
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN - 1, MIB(2)), MIB(2));
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN - 1, PAGE_SIZE), PAGE_SIZE);
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN, PAGE_SIZE), 0);
		assert_int_equal(vm0_touch_size(&vm0, KEY(key) + HIDDEN - GIB(1), GIB(1)), GIB(1));
	}
}

static void the_local_apic_has_one_address(void **state)
{
	(void)state;
	make(ACTIVE);
	assert_int_equal(vm0_touch_size(&vm0, LAPIC, GIB(1)), GIB(1));
	assert_int_equal(vm0_touch_size(&vm0, KEY(1) + LAPIC + 0x300, GIB(1)), 0);
	assert_int_equal(vm0_touch_size(&vm0, KEY(1) + LAPIC + PAGE_SIZE, GIB(1)), PAGE_SIZE);
	assert_int_equal(vm0_touch_size(&vm0, KEY(1) + LAPIC + MIB(2), GIB(1)), MIB(2));
}

/* An alias of the log, with a KeyID, is not the log: it stays hidden. */
static void the_log_has_one_address(void **state)
{
	(void)state;
	make(ACTIVE);
	assert_false(vm0_is_log(&vm0, 0));
	vm0.logs[LOG_RING_LAST] = (struct mem_range){HIDDEN + PAGE_SIZE, PAGE_SIZE, MEM_RESERVED};
	assert_true(vm0_is_log(&vm0, HIDDEN + PAGE_SIZE));
	assert_true(vm0_is_log(&vm0, HIDDEN + 2 * PAGE_SIZE - 1));
	assert_false(vm0_is_log(&vm0, HIDDEN + 2 * PAGE_SIZE));
	assert_false(vm0_is_log(&vm0, HIDDEN));
	assert_false(vm0_is_log(&vm0, KEY(1) + HIDDEN + PAGE_SIZE));
	assert_true(vm0_is_hidden(&vm0, HIDDEN + PAGE_SIZE, 1));
}

/* Then these bits are address. */
static void without_keyids_nothing_is_an_alias(void **state)
{
	(void)state;
	make(0);
	assert_true(vm0_is_hidden(&vm0, HIDDEN, 1));
	assert_false(vm0_is_hidden(&vm0, KEY(1) + HIDDEN, 1));
	assert_int_equal(vm0_touch_size(&vm0, KEY(1) + HIDDEN, GIB(1)), GIB(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keyid_is_what_the_msr_says),
		cmocka_unit_test(every_alias_meets_the_wall),
		cmocka_unit_test(the_local_apic_has_one_address),
		cmocka_unit_test(the_log_has_one_address),
		cmocka_unit_test(without_keyids_nothing_is_an_alias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
