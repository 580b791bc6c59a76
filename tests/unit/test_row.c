/* SPDX-License-Identifier: MIT */
/*
 * Rows of the monitor's answers, as text and as JSON. That a JSON reader reads them is tested in
 * tests/boot/test_monitor_front.py.
 */
#include "tests/unit/stubs.h"

#include "monitor/row.h"

static char out[2048];
static size_t length;

static void write_bytes(const char *s, size_t n)
{
	assert_true(length + n < sizeof(out));
	memcpy(out + length, s, n);
	length += n;
	out[length] = '\0';
}

static void begin(bool json)
{
	length = 0;
	out[0] = '\0';
	row_begin(json, write_bytes);
}

static void give_rows(void)
{
	row("cpu apic_id parked?", "CPU %u: APIC ID %04x%s\n", 1u, 16u, ", parked");
	row("a - b? c", "%-5s|%lu|%s 100%% %lx\n", "x", 1ul << 40, "", ~0ul);
	row("big small minus", "%lu %lu %d\n", (1ul << 53) + 1, 1ul << 53, -3);
	row("- last", "%s %s\n", "left out", " spaces ");
	row("", "nothing\n");
}

static void test_text(void **state)
{
	(void)state;
	begin(false);
	give_rows();
	row_text("plain\n", 6);
	row_end(NULL);
	assert_string_equal(out, "CPU 1: APIC ID 0010, parked\n"
				 "x    |1099511627776| 100% ffffffffffffffff\n"
				 "9007199254740993 9007199254740992 -3\n"
				 "left out  spaces \n"
				 "nothing\n"
				 "plain\n"
				 "ok\n");
	begin(false);
	row_end("why not");
	assert_string_equal(out, "err: why not\n");
}

static void test_json(void **state)
{
	(void)state;
	begin(true);
	give_rows();
	row_end(NULL);
	assert_string_equal(out, "{\"cpu\":1,\"apic_id\":\"0x10\",\"parked\":true}\n"
				 "{\"a\":\"x\",\"b\":false,\"c\":\"0xffffffffffffffff\"}\n"
				 "{\"big\":\"9007199254740993\",\"small\":9007199254740992,"
				 "\"minus\":-3}\n"
				 "{\"last\":\"spaces\"}\n"
				 "{}\n"
				 "{\"ok\":true}\n");
	begin(true);
	row_end("a \"quoted\" \\ why");
	assert_string_equal(out, "{\"err\":\"a \\\"quoted\\\" \\\\ why\"}\n");
	row_text("text again\n", 11);
	assert_non_null(strstr(out, "}\ntext again\n"));
}

static void test_text_as_json(void **state)
{
	(void)state;
	begin(true);
	row_text("one\nt", 5);
	row_text("wo\t\x80\n\nthree", 11);
	row("key", "%u\n", 4u);
	row_text("five", 4);
	row_end(NULL);
	assert_string_equal(out, "{\"text\":\"one\"}\n"
				 "{\"text\":\"two\\u0009\\u0080\"}\n"
				 "{\"text\":\"\"}\n"
				 "{\"text\":\"three\"}\n"
				 "{\"key\":4}\n"
				 "{\"text\":\"five\"}\n"
				 "{\"ok\":true}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_text_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
