// SPDX-License-Identifier: MIT
/*
 * Delays: an 8254 that counts ends them; one that is not there, or stands still, does not make them
 * zero.
 */
#include "tests/unit/stubs.h"

/* Instead of the ports: an 8254. */
#define GH_IO_H
static enum { COUNTS, ALL_ONES, STUCK_HIGH, STUCK_LOW } pit;
static unsigned bytes, polls;

static inline u8 inb(u16 port)
{
	(void)port;
	switch (pit) {
	case COUNTS:
		return bytes == 2 && ++polls > 3 ? 0x20 : 0;
	case ALL_ONES:
		return 0xff;
	case STUCK_HIGH:
		return 0x20;
	default:
		return 0;
	}
}

static inline void outb(u16 port, u8 value)
{
	(void)value;
	if (port == 0x43)
		bytes = polls = 0;
	else if (port == 0x42)
		bytes++;
}

#include "drivers/pit.c"

static u64 ticks_of(u32 us)
{
	u64 start = rdtsc();

	pit_delay_us(us);
	return rdtsc() - start;
}

static void one_that_counts_ends_the_delay(void **state)
{
	(void)state;
	pit = COUNTS;
	pit_delay_us(50);
	assert_int_equal(polls, 4);
}

static void one_that_does_not_leaves_it_to_the_tsc(void **state)
{
	(void)state;
	for (pit = ALL_ONES; pit <= STUCK_LOW; pit++)
		assert_true(ticks_of(50) >= 50 * MAX_TSC_MHZ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_counts_ends_the_delay),
		cmocka_unit_test(one_that_does_not_leaves_it_to_the_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
