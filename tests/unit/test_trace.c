/* SPDX-License-Identifier: MIT */
/*
 * The exits in a ring: which ones are read, in which order, with which times; the table of counts
 * and times; and the names of addresses, from a list of symbols.
 */
#include "tests/unit/stubs.h"

#include "lib/system_map.h"
#include "vmm/recorder.h"
#include "vmm/trace_stat.h"

#define RECORDS 8

static union {
	struct trace_ring ring;
	u8 bytes[4096];
} memory;
static struct recorder rec;

static void begin(void)
{
	memset(&memory, 0, sizeof(memory));
	memset(&rec, 0, sizeof(rec));
	trace_ring_init(&memory.ring, RECORDS, 3, 7);
	recorder_init(&rec, &memory.ring);
}

static void stamp(u32 halves[2], u64 tsc)
{
	halves[0] = (u32)tsc;
	halves[1] = (u32)(tsc >> 32);
}

/* The guest is entered at @entered, and exits for @reason at @exited. */
static void enter(u64 entered)
{
	recorder_enter(&rec);
	stamp(rec.now->entered, entered);
}

static void leave(u64 exited, u64 reason)
{
	rec.now->reason = reason;
	rec.now->qualification = 0x600000 + reason;
	rec.now->rip = 0x1000 + exited;
	stamp(rec.now->exited, exited);
}

static char told[1024];

static void tell(const struct trace_exit *exit, void *context)
{
	char text[64];

	assert_ptr_equal(context, told);
	snprintf(text, sizeof(text), "%lu-%lu:%u", exit->entered, exit->exited,
		 (u32)exit->record.reason);
	strcat(told, text);
	if (exit->left)
		snprintf(text, sizeof(text), "-%lu ", exit->left);
	else
		snprintf(text, sizeof(text), " ");
	strcat(told, text);
}

static u64 read_after(u64 after)
{
	told[0] = '\0';
	return trace_each(&memory.ring, RECORDS, after, tell, told);
}

static void test_reading(void **state)
{
	(void)state;
	begin();
	assert_int_equal(read_after(0), 0);
	assert_string_equal(told, "");
	enter(100);
	assert_int_equal(read_after(0), 0); /* the first exit is still to come */
	assert_string_equal(told, "");
	leave(110, 10);
	assert_int_equal(read_after(0), 100);
	assert_string_equal(told, "100-110:10 ");
	enter(115);
	assert_int_equal(read_after(0), 100);
	assert_string_equal(told, "100-110:10-115 ");
	leave(120, 30);
	enter(130);
	leave(140, 31);
	enter(150);
	assert_int_equal(read_after(100), 130);
	assert_string_equal(told, "115-120:30-130 130-140:31-150 ");
	assert_int_equal(read_after(130), 130);
	assert_string_equal(told, "");
}

/* When the ring is full, the oldest ones go. Times beyond 32 bits. */
static void test_wrap(void **state)
{
	u64 base = 0xfffffff0;

	(void)state;
	begin();
	for (u64 i = 0; i < 20; i++) {
		enter(base + 10 * i);
		leave(base + 10 * i + 4, i);
		assert_int_equal(read_after(0), base + 10 * i);
	}
	assert_non_null(strstr(told, "4294967400-4294967404:12-4294967410 "));
	assert_non_null(strstr(told, "4294967470-4294967474:19 "));
	assert_null(strstr(told, ":11"));
	enter(base + 200);
	read_after(0);
	assert_null(strstr(told, ":12-"));
	assert_non_null(strstr(told, "4294967470-4294967474:19-4294967480 "));
}

/* Of the timer's exits in a row one stays, which is not shown but ends the exit before it. */
static void test_beats(void **state)
{
	(void)state;
	begin();
	enter(100);
	leave(110, 10);
	for (u64 i = 0; i < 20; i++) {
		enter(120 + 20 * i);
		leave(130 + 20 * i, 52);
		recorder_beat(&rec);
	}
	enter(600);
	leave(610, 30);
	recorder_event(&rec, 2, 13);
	enter(620);
	read_after(0);
	assert_string_equal(told, "100-110:10-120 600-610:30-620 ");
	assert_int_equal(EXIT_RECORD_VECTOR((rec.now - 1)->reason), 13);
	assert_int_equal(EXIT_RECORD_TYPE((rec.now - 1)->reason), 2);
	assert_true((rec.now - 1)->reason & EXIT_RECORD_EVENT);
	assert_int_equal((rec.now - 1)->reason & EXIT_RECORD_REASON, 30);
}

/* What is at an address that CPUID has named is checked before it is read. */
static void test_check(void **state)
{
	unsigned nr;

	(void)state;
	begin();
	assert_null(trace_check(&memory, sizeof(memory), &nr));
	assert_int_equal(nr, 1);
	assert_ptr_equal(trace_ring_at(&memory, 0), &memory.ring);
	assert_non_null(trace_check(&memory, 0, &nr));
	assert_non_null(trace_check(&memory, sizeof(memory) - 1, &nr));
	memory.ring.records = 77; /* more than it has room for */
	assert_non_null(trace_check(&memory, sizeof(memory), &nr));
	memory.ring.records = 0;
	assert_non_null(trace_check(&memory, sizeof(memory), &nr));
	begin();
	memory.ring.version = 2;
	assert_non_null(trace_check(&memory, sizeof(memory), &nr));
	begin();
	memory.ring.magic[15] = '\0';
	assert_non_null(trace_check(&memory, sizeof(memory), &nr));
	begin();
	memory.ring.size = 0;
	assert_non_null(trace_check(&memory, sizeof(memory), &nr));
}

/* A copy has what is whole, and no exit of what is not. */
static void test_copy(void **state)
{
	static u8 copied[sizeof(memory)];
	const struct trace_ring *copy = (const struct trace_ring *)copied;

	(void)state;
	begin();
	enter(100);
	leave(110, 10);
	enter(120);
	stamp(rec.now->exited, 90); /* of an older exit in this place */
	trace_copy((struct trace_ring *)copied, &memory.ring);
	assert_memory_equal(&copy->record[1], &memory.ring.record[1], sizeof(struct exit_record));
	assert_int_equal(trace_stamp(copy->record[2].entered), 120);
	assert_int_equal(trace_stamp(copy->record[2].exited), 0);
	assert_int_equal(copy->records, RECORDS);
}

static const char *about(u32 reason, u64 qualification, u64 *number)
{
	*number = qualification >> 16;
	return reason == 30 ? "port" : reason == 31 ? "MSR" : NULL;
}

static const char *name(u32 reason)
{
	return reason == 10 ? "CPUID" : reason == 30 ? "IO_INSTRUCTION" : "MSR_READ";
}

static void emit(const char *line)
{
	assert_in_range(strlen(line), 1, TRACE_STAT_LINE - 1);
	strcat(told, line);
	strcat(told, "\n");
}

static struct trace_stat stat;

static void add(const struct trace_exit *exit, void *context)
{
	trace_stat_add(&stat, exit, about, *(bool *)context);
}

static void table(enum trace_key key, bool timed_only)
{
	trace_stat_init(&stat, key);
	trace_each(&memory.ring, RECORDS, 0, add, &timed_only);
	if (timed_only) {
		trace_stat_count(&stat, 10, 97);
		trace_stat_count(&stat, 30, 2);
		trace_stat_count(&stat, 40, 0);
		trace_stat_count(&stat, 31, 1);
	}
	told[0] = '\0';
	trace_stat_print(&stat, 1000, name, emit);
}

static void test_table(void **state)
{
	(void)state;
	begin();
	enter(100);
	leave(110, 30);
	enter(120);
	leave(130, 30);
	enter(160);
	leave(170, 10);
	enter(175);
	leave(200, 31);
	table(TRACE_BY_REASON, true);
	assert_string_equal(told,
			    "                 VM-EXIT    Samples  Samples%     Time%    Min Time   "
			    " Max Time    "
			    "Avg time\n"
			    "                   CPUID         97    97.00%    11.11%      5.00us   "
			    "   5.00us      "
			    "5.00us\n"
			    "          IO_INSTRUCTION          2     2.00%    88.88%     10.00us   "
			    "  30.00us     "
			    "20.00us\n"
			    "                MSR_READ          1     1.00%         -           -   "
			    "        -        "
			    "   -\n"
			    "Total Samples:100, Total events handled time:45.00us (of 3 exits)\n");
	table(TRACE_BY_PORT, false);
	assert_non_null(strstr(told, "       IO_INSTRUCTION 60          2   100.00%   100.00% "));
	assert_null(strstr(told, "CPUID"));
	assert_non_null(strstr(told, "Total Samples:2,"));
	table(TRACE_BY_MSR, false);
	assert_non_null(strstr(told, "             MSR_READ 60          1   100.00%         - "));
	table(TRACE_BY_RIP, false);
	assert_non_null(strstr(told, "   IO_INSTRUCTION 1082          1    25.00% "));
	assert_non_null(strstr(told, "Total Samples:4,"));
	recorder_kicked(&rec, 1);
	enter(300);
	table(TRACE_BY_MSR, false);
	assert_non_null(strstr(told, "             MSR_READ 60          1   100.00%         - "));
}

static void test_full_table(void **state)
{
	struct trace_exit exit = {.exited = 5, .left = ~0ull >> 8};

	(void)state;
	trace_stat_init(&stat, TRACE_BY_RIP);
	for (u64 i = 0; i < TRACE_STAT_ROWS + 4; i++) {
		exit.record.rip = ~i;
		trace_stat_add(&stat, &exit, about, false);
	}
	assert_int_equal(stat.nr, TRACE_STAT_ROWS);
	assert_int_equal(stat.others, 4);
	stat.nr = 1; /* or the lines do not fit into told[] */
	told[0] = '\0';
	trace_stat_print(&stat, 0, name, emit);
	assert_non_null(strstr(told, "and 4 others, for which"));
	told[0] = '\0';
	trace_stat_print(&stat, 1, name, emit);
	assert_non_null(strstr(told, " 100.00%   100.00% "));
}

static const char map[] = "0000000000000000 D first\n"
			  "ffffffff81000000 T _text\n"
			  "ffffffff81000040 t second\t[module]\n"
			  "ffffffff81000040 T alias\n"
			  "ffffffff81000100 B _end";

static const char *symbol(const char *text, size_t size, u64 address)
{
	static char text_of[80];
	char found[16];
	u64 offset;

	if (!system_map_lookup(text, size, address, found, sizeof(found), &offset))
		return "none";
	snprintf(text_of, sizeof(text_of), "%s+%lx", found, offset);
	return text_of;
}

/* 1: there is none. */
static u64 address_of(const char *text, size_t size, const char *name)
{
	u64 address;

	return system_map_find(text, size, name, &address) ? address : 1;
}

static void test_symbols(void **state)
{
	size_t size = sizeof(map) - 1;

	(void)state;
	assert_string_equal(symbol(map, size, 5), "first+5");
	assert_string_equal(symbol(map, size, 0xffffffff80ffffff), "first+ffffffff80ffffff");
	assert_string_equal(symbol(map, size, 0xffffffff81000000), "_text+0");
	assert_string_equal(symbol(map, size, 0xffffffff8100003f), "_text+3f");
	assert_string_equal(symbol(map, size, 0xffffffff81000041), "alias+1");
	assert_string_equal(symbol(map, size, 0xffffffff810000ff), "alias+bf");
	assert_string_equal(symbol(map, size, ~0ull), "_end+7efffeff");
	assert_string_equal(symbol(map + 25, size - 25, 5), "none");
	assert_string_equal(symbol(map, 0, 5), "none");
	assert_string_equal(symbol("0 T a_name_that_is_long", 23, 1), "a_name_that_is_+1");
	assert_string_equal(symbol("no list", 7, 1), "none");
	assert_string_equal(symbol("00000000000000001 T x", 21, 1), "none");
	assert_int_equal(address_of(map, size, "second"), 0xffffffff81000040);
	assert_int_equal(address_of(map, size, "_end"), 0xffffffff81000100);
	assert_int_equal(address_of(map, size, "first"), 0);
	assert_int_equal(address_of(map, size, "sec"), 1);
	assert_int_equal(address_of(map, size, "_end2"), 1);
	assert_int_equal(address_of("\n\nno list\n0 T\n10 T x", 23, "x"), 0x10);
	/* Whatever the text is, nothing beyond it is read: the sanitizer watches. */
	for (size_t n = 0; n <= size; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, map, n);
		for (u64 address = 0xffffffff80ffffff; address < 0xffffffff81000102;
		     address += 0x20)
			symbol(copy, n, address);
		address_of(copy, n, "_end");
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),    cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_beats),      cmocka_unit_test(test_check),
		cmocka_unit_test(test_copy),       cmocka_unit_test(test_table),
		cmocka_unit_test(test_full_table), cmocka_unit_test(test_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
