// SPDX-License-Identifier: MIT
/*
 * The log ring: written, read meanwhile, and found by the next boot.
 */
#include "tests/unit/stubs.h"
#include "drivers/console.h"
#include "drivers/log_writer.h"
#include "guests/tools/log_reader.h"
#include "lib/pages.h"

#define BYTES (CONSOLE_RING_PAGES * PAGE_SIZE)
#define TEXT  (BYTES - sizeof(struct log_ring))

static union {
	struct log_ring ring;
	char bytes[BYTES];
} now __aligned(4096), kept __aligned(4096);

static bool out_of_memory;
static char printed[2 * BYTES];
static size_t nr_printed;

void *pages_alloc(size_t nr)
{
	assert_int_equal(nr, CONSOLE_RING_PAGES);
	return out_of_memory ? NULL : &kept;
}

void console_write(const char *s, size_t n)
{
	assert_true(nr_printed + n < sizeof(printed));
	memcpy(printed + nr_printed, s, n);
	nr_printed += n;
}

static struct log_reader reader;
static char text[BYTES];
static u64 lost;

static int begin(void **state)
{
	(void)state;
	log_ring_init(&now.ring, BYTES);
	memset(&kept, 0, sizeof(kept));
	memset(printed, 0, sizeof(printed));
	nr_printed = 0;
	out_of_memory = false;
	return log_reader_open(&reader, &now.ring, BYTES, false) != NULL;
}

static void log_line(const char *s)
{
	log_ring_write(&now.ring, s, strlen(s));
}

/* Log the lines "line @from" to "line @to" - 1, each of 12 bytes. */
static void log_lines(unsigned from, unsigned to)
{
	char line[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(line, sizeof(line), "line %6u\n", i);
		log_line(line);
	}
}

/* The next read returns @wanted. */
static void reads(const char *wanted)
{
	size_t n = log_reader_read(&reader, text, &lost);

	text[n] = 0;
	assert_string_equal(text, wanted);
}

static void each_line_is_read_once(void **state)
{
	(void)state;
	reads("");
	log_line("one\ntwo\n");
	reads("one\ntwo\n");
	reads("");
	log_line("three\n");
	reads("three\n");
	assert_int_equal(lost, 0);
}

static void a_line_is_read_when_it_is_whole(void **state)
{
	(void)state;
	log_line("whole\nhal");
	reads("whole\n");
	log_line("f");
	reads("");
	log_line("\n");
	reads("half\n");
	assert_int_equal(lost, 0);
}

static void a_finished_ring_may_end_without_a_newline(void **state)
{
	(void)state;
	log_line("whole\nhalf");
	assert_null(log_reader_open(&reader, &now.ring, BYTES, true));
	reads("whole\nhalf");
	reads("");
}

/* All that is in the ring, from the first whole line on; and what is missing is counted. */
static void a_full_ring_begins_with_a_whole_line(void **state)
{
	unsigned lines = 5000, first;
	size_t n;

	(void)state;
	log_lines(0, lines);
	n = log_reader_read(&reader, text, &lost);
	assert_true(n >= TEXT - 12 && n <= TEXT && n % 12 == 0);
	assert_int_equal(lost, lines * 12 - n);
	first = lines - (unsigned)n / 12;
	for (unsigned i = 0; i < n / 12; i++)
		assert_int_equal(atoi(text + 12 * i + 5), first + i);
	log_lines(lines, lines + 1);
	reads("line   5000\n");
	assert_int_equal(lost, 0);
}

static void a_reader_that_is_too_slow_is_told(void **state)
{
	size_t n;

	(void)state;
	log_lines(0, 1);
	reads("line      0\n");
	log_lines(1, 3000);
	n = log_reader_read(&reader, text, &lost);
	assert_int_equal(lost + n, 2999 * 12);
	assert_true(lost > 0 && n >= TEXT - 12);
}

/* Glasshouse claims room for a line between the reader's look at written and its copy: the oldest
 * bytes are not the reader's any more. */
static void what_was_overwritten_during_the_copy_is_dropped(void **state)
{
	size_t n;

	(void)state;
	log_lines(0, 5000);
	now.ring.claimed = now.ring.written + 100;
	n = log_reader_read(&reader, text, &lost);
	assert_true(n > TEXT - 112 && n <= TEXT - 100 && n % 12 == 0);
	assert_int_equal(lost, 5000 * 12 - n);
	now.ring.claimed = now.ring.written + 2 * TEXT; /* all of it */
	log_reader_open(&reader, &now.ring, BYTES, false);
	reads("");
	assert_int_equal(lost, 5000 * 12);
	/* The reader is in the middle of something now, so it waits for the next line. */
	log_line("the end\nnext\n");
	reads("next\n");
	assert_int_equal(lost, 8);
}

static void what_is_no_ring_is_refused(void **state)
{
	(void)state;
	assert_non_null(log_reader_open(&reader, &now.ring, sizeof(now.ring) - 1, false));
	assert_non_null(log_reader_open(&reader, &now.ring, sizeof(now.ring), false));
	assert_non_null(log_reader_open(&reader, &now.ring, BYTES - 1, false));
	now.ring.size = 0;
	assert_non_null(log_reader_open(&reader, &now.ring, BYTES, false));
	begin(NULL);
	now.ring.version++;
	assert_non_null(strstr(log_reader_open(&reader, &now.ring, BYTES, false), "format"));
	begin(NULL);
	now.ring.magic[3]++;
	assert_non_null(strstr(log_reader_open(&reader, &now.ring, BYTES, false), "no log"));
}

static void a_damaged_ring_does_no_harm(void **state)
{
	static const u64 values[] = {0, 1, TEXT, TEXT + 1, ~0ull, ~0ull - TEXT, BIT(63)};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(values); j++) {
			begin(NULL);
			log_lines(0, 10);
			log_reader_read(&reader, text, &lost);
			now.ring.written = values[i];
			now.ring.claimed = values[j];
			for (unsigned k = 0; k < 3; k++)
				assert_true(log_reader_read(&reader, text, &lost) <= TEXT);
		}
}

static void the_next_boot_keeps_all_of_it(void **state)
{
	(void)state;
	log_lines(0, 5000);
	now.ring.claimed += 7; /* a reset stopped it */
	assert_ptr_equal(console_take_last(&now, BYTES), &kept);
	assert_null(log_reader_open(&reader, &kept.ring, BYTES, true));
	assert_true(log_reader_read(&reader, text, &lost) >= TEXT - 12);
	assert_true(log_ring_is_intact(&kept.ring, BYTES));
	assert_non_null(strstr(printed, "The boot before this one ended with: ---\nline "));
	assert_non_null(strstr(printed, "line   4999\n--- End ---\n"));
	assert_true(nr_printed < 900);
	assert_null(console_take_last(&now, BYTES)); /* not twice */
}

static void a_panic_is_printed_from_its_begin(void **state)
{
	(void)state;
	log_lines(0, 100);
	now.ring.panic = now.ring.written;
	log_lines(100, 300);
	assert_ptr_equal(console_take_last(&now, BYTES), &kept);
	assert_non_null(strstr(printed, "ended with: ---\nline    100\n"));
	assert_int_equal(kept.ring.panic, 1200);
}

static void without_memory_it_is_printed_only(void **state)
{
	(void)state;
	log_lines(0, 10);
	out_of_memory = true;
	assert_null(console_take_last(&now, BYTES));
	assert_non_null(strstr(printed, "line      9\n"));
}

static void a_damaged_ring_of_the_boot_before_is_ignored(void **state)
{
	size_t at;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		begin(NULL);
		log_lines(0, 5000);
		at = i < sizeof(now.ring) ? i : i * 37 % BYTES;
		if (at >= offsetof(struct log_ring, claimed) &&
		    at < offsetof(struct log_ring, panic))
			continue;
		if (at == sizeof(LOG_RING_MAGIC)) /* after the magic's NUL */
			continue;
		now.bytes[at] ^= 0x10;
		assert_null(console_take_last(&now, BYTES));
		assert_int_equal(nr_printed, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_line_is_read_once, begin),
		cmocka_unit_test_setup(a_line_is_read_when_it_is_whole, begin),
		cmocka_unit_test_setup(a_finished_ring_may_end_without_a_newline, begin),
		cmocka_unit_test_setup(a_full_ring_begins_with_a_whole_line, begin),
		cmocka_unit_test_setup(a_reader_that_is_too_slow_is_told, begin),
		cmocka_unit_test_setup(what_was_overwritten_during_the_copy_is_dropped, begin),
		cmocka_unit_test_setup(what_is_no_ring_is_refused, begin),
		cmocka_unit_test_setup(a_damaged_ring_does_no_harm, begin),
		cmocka_unit_test_setup(the_next_boot_keeps_all_of_it, begin),
		cmocka_unit_test_setup(a_panic_is_printed_from_its_begin, begin),
		cmocka_unit_test_setup(without_memory_it_is_printed_only, begin),
		cmocka_unit_test_setup(a_damaged_ring_of_the_boot_before_is_ignored, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
