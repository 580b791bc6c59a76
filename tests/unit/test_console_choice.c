/* SPDX-License-Identifier: MIT */
/*
 * Which serial line is the guest's, and where Glasshouse logs.
 */
#include "tests/unit/stubs.h"

#include "drivers/console_choice.h"

static void test_named(void **state)
{
	static const struct {
		const char *words;
		unsigned uarts;
	} cases[] = {
		{"", 0},
		{"linux quiet root=/dev/sda1", 0},
		{"linux console=ttyS0,115200 quiet", CONSOLE_COM1},
		{"linux console=ttyS1", CONSOLE_COM2},
		{"linux console=tty0 console=ttyS1,115200n8 quiet", CONSOLE_COM2},
		{"linux console=ttyS0 console=ttyS1", CONSOLE_COM1 | CONSOLE_COM2},
		{"linux earlyprintk=serial,ttyS1,115200", CONSOLE_COM2},
		{"linux earlyprintk=ttyS1", CONSOLE_COM2},
		{"linux earlyprintk=serial,0x2f8,115200", CONSOLE_COM2},
		{"linux console=uart8250,io,0x2f8", CONSOLE_COM2},
		{"linux earlycon=uart,io,0x2F8,115200n8", CONSOLE_COM2},
		{"linux kgdboc=ttyS1,115200", CONSOLE_COM2},
		{"multiboot2 placeholder com2=115200,8n1 console=com2", CONSOLE_COM2},
		{"multiboot2 placeholder com1=115200,8n1 console=com1", CONSOLE_COM1},
		{"linux console=ttyS10 console=ttyS2 console=ttyUSB1", 0},
		{"linux console=uart8250,io,0x3e8 x=0x12f8 y=2f8a root=UUID=02f8-2f80", 0},
		{"ttyS1", CONSOLE_COM2},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		if (console_named(cases[i].words) != cases[i].uarts)
			fail_msg("\"%s\" names %#x", cases[i].words, console_named(cases[i].words));
}

static void test_spcr(void **state)
{
	(void)state;
	assert_int_equal(console_of_spcr(&(struct acpi_reg){0x2f8, ACPI_SPACE_IO}), CONSOLE_COM2);
	assert_int_equal(console_of_spcr(&(struct acpi_reg){0x3f8, ACPI_SPACE_IO}), CONSOLE_COM1);
	assert_int_equal(console_of_spcr(&(struct acpi_reg){0x2f8, 0}), 0);
	assert_int_equal(console_of_spcr(&(struct acpi_reg){0x3e8, ACPI_SPACE_IO}), 0);
	assert_int_equal(console_of_spcr(&(struct acpi_reg){0, 0}), 0);
}

static void test_choose(void **state)
{
	const unsigned all = CONSOLE_ALL, pc = CONSOLE_COM1 | CONSOLE_COM2 | CONSOLE_VGA;

	(void)state;
	assert_int_equal(console_choose(CONSOLE_AUTO, 0, all), CONSOLE_COM2 | CONSOLE_E9);
	assert_int_equal(console_choose(CONSOLE_AUTO, CONSOLE_COM1, all),
			 CONSOLE_COM2 | CONSOLE_E9);
	assert_int_equal(console_choose(CONSOLE_AUTO, CONSOLE_COM2, all), CONSOLE_E9);
	assert_int_equal(console_choose(CONSOLE_AUTO, 0, pc), CONSOLE_COM2);
	assert_int_equal(console_choose(CONSOLE_AUTO, CONSOLE_COM2, pc), 0);
	assert_int_equal(console_choose(0, 0, all), 0);
	/* Who chooses it knows what he does. */
	assert_int_equal(console_choose(CONSOLE_COM2, CONSOLE_COM2, all), CONSOLE_COM2);
	assert_int_equal(console_choose(CONSOLE_E9 | CONSOLE_VGA, 0, pc), CONSOLE_VGA);
}

static void test_names(void **state)
{
	char text[CONSOLE_NAMES_SIZE];

	(void)state;
	assert_string_equal(console_names(text, 0), "");
	assert_string_equal(console_names(text, CONSOLE_E9), "port E9");
	assert_string_equal(console_names(text, CONSOLE_OURS), "COM2 and port E9");
	assert_string_equal(console_names(text, CONSOLE_ALL),
			    "COM1, COM2, the screen, port E9 and the graphics screen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_spcr),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
