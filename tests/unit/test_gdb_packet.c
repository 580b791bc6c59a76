/* SPDX-License-Identifier: MIT */
/*
 * The packets of gdb's remote protocol: whole, damaged and in pieces; answers; numbers, threads and
 * the actions of vCont.
 */
#include "tests/unit/stubs.h"

#include "monitor/gdb/packet.h"

static struct packet packet;

/* What the last of @n bytes is; those before must be nothing. */
static enum packet_event feed(const char *bytes, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		assert_int_equal(packet_input(&packet, bytes[i]), PACKET_NOTHING);
	return packet_input(&packet, bytes[n - 1]);
}

static enum packet_event feed_text(const char *text)
{
	return feed(text, strlen(text));
}

static void test_whole(void **state)
{
	(void)state;
	memset(&packet, 0, sizeof(packet));
	assert_int_equal(feed_text("$m1f,4#64"), PACKET_COMPLETE);
	assert_string_equal(packet.data, "m1f,4");
	assert_false(packet_begun(&packet));
	assert_int_equal(feed_text("$#00"), PACKET_COMPLETE);
	assert_string_equal(packet.data, "");
	assert_int_equal(feed_text("+"), PACKET_ACK);
	assert_int_equal(feed_text("-"), PACKET_NAK);
	assert_int_equal(feed_text("\x03"), PACKET_INTERRUPT);
	assert_int_equal(feed_text("x"), PACKET_NOTHING);
	assert_int_equal(feed_text("junk$g#67"), PACKET_COMPLETE);
	assert_int_equal(feed_text("$g#6A"), PACKET_BAD);
	/* Bytes that mean something between packets do not in one. */
	assert_int_equal(feed_text("$+-\x03#5b"), PACKET_COMPLETE);
	assert_string_equal(packet.data, "+-\x03");
}

static void test_escapes(void **state)
{
	(void)state;
	memset(&packet, 0, sizeof(packet));
	/* }\x03 is #, }] is }; a NUL is data. */
	assert_int_equal(feed("$X}\x03}]\0#b2", 10), PACKET_COMPLETE);
	assert_int_equal(packet.length, 4);
	assert_memory_equal(packet.data, "X#}\0", 5);
	assert_int_equal(feed_text("$}#7d"), PACKET_BAD);
}

static void test_damaged(void **state)
{
	(void)state;
	memset(&packet, 0, sizeof(packet));
	assert_int_equal(feed_text("$g#68"), PACKET_BAD);
	assert_int_equal(feed_text("$g#6x"), PACKET_BAD);
	assert_int_equal(feed_text("$g#x"), PACKET_BAD);
	assert_false(packet_begun(&packet));
	/* Its end has been lost. */
	assert_int_equal(feed_text("$qSupp$g#67"), PACKET_COMPLETE);
	assert_string_equal(packet.data, "g");
	assert_int_equal(feed_text("$g#$g#67"), PACKET_COMPLETE);
	assert_int_equal(feed_text("$g"), PACKET_NOTHING);
	assert_true(packet_begun(&packet));
	assert_int_equal(feed_text("#67"), PACKET_COMPLETE);
}

static void test_longest(void **state)
{
	char end[8];

	(void)state;
	memset(&packet, 0, sizeof(packet));
	for (unsigned more = 0; more < 2; more++) {
		u8 sum = 0;

		assert_int_equal(feed_text("$"), PACKET_NOTHING);
		for (unsigned i = 0; i < PACKET_SIZE + more; i++) {
			assert_int_equal(packet_input(&packet, 'a'), PACKET_NOTHING);
			sum = (u8)(sum + 'a');
		}
		snprintf(end, sizeof(end), "#%02x", sum);
		assert_int_equal(feed_text(end), more ? PACKET_BAD : PACKET_COMPLETE);
		assert_int_equal(packet.length, PACKET_SIZE);
		assert_int_equal(packet.data[PACKET_SIZE], '\0');
	}
}

static struct reply reply;

/* A reader of packets agrees with the reply. */
static void ends_as(const char *text)
{
	reply_end(&reply);
	assert_int_equal(strlen(reply.data), reply.length);
	memset(&packet, 0, sizeof(packet));
	assert_int_equal(feed(reply.data, reply.length), PACKET_COMPLETE);
	assert_string_equal(packet.data, text);
}

static void test_reply(void **state)
{
	(void)state;
	reply_begin(&reply);
	reply_text(&reply, "OK");
	reply_end(&reply);
	assert_string_equal(reply.data, "$OK#9a");
	reply_begin(&reply);
	ends_as("");
	reply_begin(&reply);
	reply_text(&reply, "<}#$*>");
	reply_bytes(&reply, "\x00\x7f\xff", 3);
	reply_number(&reply, 0);
	reply_number(&reply, 0x10a);
	reply_number(&reply, ~0ull);
	reply_unavailable(&reply, 2);
	ends_as("<}#$*>007fff010affffffffffffffffxxxx");
}

static void test_full_reply(void **state)
{
	(void)state;
	for (unsigned before = 0; before < 3; before++) {
		for (unsigned how = 0; how < 3; how++) {
			reply_begin(&reply);
			reply_text(&reply, "ab" + 2 - before);
			for (unsigned i = 0; i < PACKET_SIZE; i++) {
				if (how == 0)
					reply_text(&reply, "#");
				else if (how == 1)
					reply_bytes(&reply, "\x12", 1);
				else
					reply_number(&reply, 0x123456789abcdef0);
			}
			reply_end(&reply);
			memset(&packet, 0, sizeof(packet));
			assert_int_equal(feed(reply.data, reply.length), PACKET_COMPLETE);
			assert_true(reply.length <= 1 + PACKET_SIZE + 3);
		}
	}
}

static void test_numbers(void **state)
{
	const char *at = "1f,FfffFFFFffffffff:";
	u8 bytes[3] = {0};
	s64 thread;
	u64 value;

	(void)state;
	assert_true(take_number(&at, &value));
	assert_int_equal(value, 0x1f);
	assert_false(take_char(&at, ';'));
	assert_true(take_char(&at, ','));
	assert_true(take_number(&at, &value));
	assert_int_equal(value, ~0ull);
	assert_false(take_number(&at, &value));
	at = "10000000000000000";
	assert_false(take_number(&at, &value));
	at = "01aBf";
	assert_true(take_bytes(&at, bytes, 2));
	assert_memory_equal(bytes, "\x01\xab\x00", 3);
	assert_false(take_bytes(&at, bytes, 1));
	at = "-1";
	assert_true(take_thread(&at, &thread) && thread == -1);
	at = "1a";
	assert_true(take_thread(&at, &thread) && thread == 0x1a);
	at = "-2";
	assert_false(take_thread(&at, &thread));
	at = "";
	assert_false(take_thread(&at, &thread));
	at = "100000000";
	assert_false(take_thread(&at, &thread));
}

static void resumes(const char *text, const char *wanted)
{
	u8 got[4];

	assert_true(take_resumes(&text, got, 4));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(got[i], strchr("-cs", wanted[i]) - "-cs");
}

static void test_resumes(void **state)
{
	static const char *const bad[] = {"",    ";c:7", ";x", "c",     ";",   ";c;",
					  ";c:", ";c:g", ";C", ";c:1x", ";t:1"};
	u8 got[4];

	(void)state;
	resumes(";c", "cccc");
	resumes(";s:1;c", "sccc");
	resumes(";s:3", "--s-");
	resumes(";c:2;s:2;s:4", "-c-s");
	resumes(";C05:1;S0b:2;c:-1", "cscc");
	resumes(";s:7;c:4", "---c");
	resumes(";s:0", "ssss");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *at = bad[i];

		assert_false(take_resumes(&at, got, 4));
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(packet_after("qC", "qC"), "");
	assert_null(packet_after("qCRC:0,1", "qC"));
	assert_null(packet_after("q", "qC"));
	assert_string_equal(packet_after("qSupported:swbreak+", "qSupported"), ":swbreak+");
	assert_string_equal(packet_after("vKill;1", "vKill"), ";1");
	assert_string_equal(packet_after("qRcmd,6c73", "qRcmd,"), "6c73");
	assert_null(packet_after("vCont?", "vCont"));
	assert_string_equal(packet_after("vCont?", "vCont?"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),   cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_reply),   cmocka_unit_test(test_full_reply),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_resumes),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
