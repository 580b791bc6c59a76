/* SPDX-License-Identifier: MIT */
/*
 * How a debugger's breakpoints and the guest's share the CPU's debug registers, and whose the
 * reasons of a #DB are.
 */
#include "tests/unit/stubs.h"

#include "bits.h"
#include "vmm/debug_state.h"

static struct debug_state state;
static struct debug_point points[DEBUG_REGISTERS];

static void begin(u64 guest_dr7)
{
	memset(points, 0, sizeof(points));
	memset(&state, 0, sizeof(state));
	for (unsigned n = 0; n < DEBUG_REGISTERS; n++)
		state.guest[n] = 0x1000 + n;
	state.guest_dr7 = guest_dr7;
}

static void point(unsigned i, enum debug_kind kind, unsigned length, u64 address)
{
	points[i] = (struct debug_point){
		.used = true, .kind = (u8)kind, .length = (u8)length, .address = address};
}

/* Without points, and with registers that the guest does not use, nothing of the guest's changes.
 */
static void test_guest_alone(void **unused)
{
	(void)unused;
	begin(0x2402 | 1ull << 16);
	debug_merge(&state, points);
	assert_int_equal(state.dr7, 0x2402 | 1ull << 16);
	for (unsigned n = 0; n < DEBUG_REGISTERS; n++) {
		assert_int_equal(state.dr[n], 0x1000 + n);
		assert_int_equal(state.point[n], 0);
	}
}

static void test_debugger_alone(void **unused)
{
	(void)unused;
	begin(0x400 | 0xful << 20); /* a field of a register that is not enabled */
	point(0, DEBUG_EXECUTE, 1, 0xa);
	point(1, DEBUG_WRITE, 4, 0xb0);
	point(3, DEBUG_ACCESS, 8, 0xc0);
	debug_merge(&state, points);
	assert_int_equal(state.dr[0], 0xa);
	assert_int_equal(state.dr[1], 0xb0);
	assert_int_equal(state.dr[2], 0xc0);
	assert_int_equal(state.point[2], 4);
	assert_int_equal(state.point[3], 0);
	/* G0 to G2; LEN and R/W: 0; 3 and 1; 2 and 3. */
	assert_int_equal(state.dr7, 0x400 | 0x2a | 0xdul << 20 | 0xbul << 24);
}

/* The guest's stay where they are; the others take what is left, and no more. */
static void test_both(void **unused)
{
	(void)unused;
	begin(0x400 | 1 | 8 | 0xdul << 16); /* L0, G1 */
	for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
		point(i, DEBUG_EXECUTE, 1, 0x10 + i);
	debug_merge(&state, points);
	assert_int_equal(state.dr[0], 0x1000);
	assert_int_equal(state.dr[1], 0x1001);
	assert_int_equal(state.dr[2], 0x10);
	assert_int_equal(state.dr[3], 0x11);
	assert_int_equal(state.dr7, 0x400 | 1 | 8 | 0xdul << 16 | 0xa0);
	state.guest_dr7 = 0x400 | 0xff;
	debug_merge(&state, points);
	assert_int_equal(state.dr7, 0x400 | 0xff);
	assert_int_equal(state.dr[3], 0x1003);
	assert_int_equal(state.point[3], 0);
}

static void test_reasons(void **unused)
{
	const struct debug_point *hit;

	(void)unused;
	begin(0x400 | 4); /* L1 */
	point(2, DEBUG_WRITE, 4, 0xb0);
	debug_merge(&state, points);
	assert_int_equal(state.point[0], 3);
	assert_int_equal(debug_guest_reasons(&state, points, 1, &hit), 0);
	assert_ptr_equal(hit, &points[2]);
	assert_int_equal(debug_guest_reasons(&state, points, 2, &hit), 2);
	assert_null(hit);
	/* Both; and a single step of the guest's; and one that nobody has enabled. */
	assert_int_equal(debug_guest_reasons(&state, points, BIT(14) | 0xb, &hit), BIT(14) | 2);
	assert_ptr_equal(hit, &points[2]);
	assert_int_equal(debug_guest_reasons(&state, points, 4, &hit), 0);
	assert_null(hit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_alone),
		cmocka_unit_test(test_debugger_alone),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
