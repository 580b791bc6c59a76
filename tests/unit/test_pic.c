/* SPDX-License-Identifier: MIT */
/*
 * Which end of interrupt is for the 8259, and which for the interrupt that it does not know of.
 */
#include "tests/unit/stubs.h"

#include "vmm/vm0/pic.h"

#define ICW1         0x11
#define EOI          0x20
#define SPECIFIC_EOI 0x60
#define ROTATE       0x80
#define SET_LOWEST   0xc0
#define READ_IRR     0x0a
#define READ_ISR     0x0b
#define POLL         0x0c
#define SPECIAL_MASK 0x68

static u8 isr; /* of the chip */
static unsigned reads;

static u8 read_isr(const struct pic *pic)
{
	(void)pic;
	reads++;
	return isr;
}

static struct pic slave(void)
{
	reads = 0;
	isr = 0;
	return (struct pic){.port = 0xa0, .input = 5};
}

/* Write @command. Returns whether the chip gets it. */
static bool command(struct pic *pic, u8 command)
{
	u8 byte = command;
	bool passes = pic_command(pic, &byte, read_isr);

	assert_true(!passes || byte == command);
	return passes;
}

static void test_nothing_served(void **state)
{
	struct pic pic = slave();

	(void)state;
	assert_true(command(&pic, EOI));
	assert_true(command(&pic, SPECIFIC_EOI | 5));
	assert_int_equal(reads, 0);
}

static void test_alone(void **state)
{
	struct pic pic = slave();

	(void)state;
	pic_deliver(&pic, 0);
	assert_false(command(&pic, EOI));
	assert_true(command(&pic, EOI));

	pic_deliver(&pic, 0);
	assert_true(command(&pic, SPECIFIC_EOI | 4));
	assert_false(command(&pic, SPECIFIC_EOI | 5));
	assert_true(command(&pic, SPECIFIC_EOI | 5));
}

/* Those that were in service before end after it, whatever their priority is. */
static void test_in_a_handler(void **state)
{
	(void)state;
	for (unsigned input = 0; input < 8; input++) {
		struct pic pic = slave();

		isr = (u8)BIT(input);
		pic_deliver(&pic, isr);
		assert_false(command(&pic, EOI));
		assert_true(command(&pic, EOI));
	}
}

/* Those that come later end before it. */
static void test_nested(void **state)
{
	(void)state;
	for (unsigned input = 0; input < 8; input++) {
		struct pic pic = slave();

		pic_deliver(&pic, 0);
		isr = (u8)BIT(input);
		assert_true(command(&pic, EOI));
		isr = 0;
		assert_false(command(&pic, EOI));
	}
}

/* An input that was in service before, has ended, and comes again is newer. */
static void test_again(void **state)
{
	struct pic pic = slave();

	(void)state;
	isr = BIT(1);
	pic_deliver(&pic, isr);
	assert_true(command(&pic, SPECIFIC_EOI | 1));
	assert_true(command(&pic, EOI));
	isr = 0;
	assert_false(command(&pic, EOI));
}

/* The master's input may be in service for another input of the slave, too: two ends. */
static void test_the_same_input(void **state)
{
	struct pic pic = slave();

	(void)state;
	pic_deliver(&pic, 0);
	isr = BIT(5);
	assert_true(command(&pic, SPECIFIC_EOI | 5));
	isr = 0;
	assert_false(command(&pic, SPECIFIC_EOI | 5));

	isr = BIT(5);
	pic_deliver(&pic, isr);
	assert_false(command(&pic, SPECIFIC_EOI | 5));
	assert_true(command(&pic, SPECIFIC_EOI | 5));
}

/* An interrupt that is never ended (automatic end of interrupt) keeps no other from ending. */
static void test_never_ended(void **state)
{
	struct pic pic = slave();

	(void)state;
	pic_deliver(&pic, 0);
	for (unsigned i = 0; i < 3; i++) {
		isr = BIT(6);
		assert_true(command(&pic, EOI));
	}
	assert_true(command(&pic, ICW1));
	isr = 0;
	assert_true(command(&pic, EOI));
}

/* Its end that rotates the priorities rotates those of the chip. */
static void test_rotation(void **state)
{
	struct pic pic = slave();
	u8 byte = ROTATE | EOI;

	(void)state;
	pic_deliver(&pic, 0);
	assert_true(pic_command(&pic, &byte, read_isr));
	assert_int_equal(byte, SET_LOWEST | 5);

	pic_deliver(&pic, 0);
	byte = ROTATE | SPECIFIC_EOI | 5;
	assert_true(pic_command(&pic, &byte, read_isr));
	assert_int_equal(byte, SET_LOWEST | 5);
	assert_true(command(&pic, ROTATE | EOI));

	pic_deliver(&pic, 0);
	assert_true(command(&pic, SET_LOWEST | 3));
	assert_true(command(&pic, ROTATE)); /* in automatic end of interrupt */
	assert_false(command(&pic, EOI));
}

static void test_reads(void **state)
{
	struct pic pic = slave();

	(void)state;
	assert_int_equal(pic_read(&pic, 2, false), 2);
	assert_int_equal(pic_read(&pic, 2, true), 0x22);
	pic_deliver(&pic, 0);
	assert_int_equal(pic_read(&pic, 0, false), 0);
	assert_true(command(&pic, READ_ISR));
	assert_true(command(&pic, SPECIAL_MASK));
	assert_int_equal(pic_read(&pic, 1, false), 0x21);
	assert_true(command(&pic, POLL));
	assert_int_equal(pic_read(&pic, 0, true), 0);
	assert_int_equal(pic_read(&pic, 0, true), 0x20);
	assert_true(command(&pic, READ_IRR));
	assert_int_equal(pic_read(&pic, 0, false), 0);
	assert_false(command(&pic, EOI));
	assert_true(command(&pic, READ_ISR));
	assert_int_equal(pic_read(&pic, 0, true), 0);
	assert_true(command(&pic, ICW1));
	assert_int_equal(pic_read(&pic, 0, true), 0x20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_served), cmocka_unit_test(test_alone),
		cmocka_unit_test(test_in_a_handler),   cmocka_unit_test(test_nested),
		cmocka_unit_test(test_again),          cmocka_unit_test(test_the_same_input),
		cmocka_unit_test(test_never_ended),    cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
