/* SPDX-License-Identifier: MIT */
/*
 * docs/options.md matches the table of options. With GH_DOCS=write in the environment, as set by
 * `make docs`, the test writes the file instead of comparing it.
 */
#include "tests/unit/stubs.h"

#include "boot/options.h"
#include "drivers/console.h"

static char text[16 << 10];
static size_t length;

static void add(const char *fmt, ...) __printf(1, 2);
static void add(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	length += (size_t)vsnprintf(text + length, sizeof(text) - length, fmt, args);
	va_end(args);
	assert_true(length < sizeof(text));
}

static const char *kind_name(const struct option *o)
{
	return o->kind == OPTION_FLAG ? "" : "=...";
}

static void render(void)
{
	char expected[256];

	add("<!-- SPDX-License-Identifier: MIT -->\n"
	    "<!-- Made by `make docs` from the table in boot/options.c. -->\n"
	    "# Options\n\n"
	    "Words after `multiboot2 /glasshouse.elf` in grub.cfg, separated by spaces; for "
	    "glasshouse.efi in glasshouse.conf\n"
	    "or in its [boot entry or command](uefi.md#install-it). With a wrong one nothing is "
	    "started: a message on every console\n"
	    "names it and what would be right.\n\n"
	    "| option | values | meaning |\n|---|---|---|\n");
	for (unsigned i = 0; i < boot_option_count; i++) {
		const struct option *o = &boot_option_table[i];

		option_expected(o, expected, sizeof(expected));
		add("| `%s%s` | %s | %s |\n", o->name, kind_name(o), expected, o->help);
	}
	add("\nNumbers may be hexadecimal (0x...) and may end in K, M or G.\n");
}

static void test_docs(void **state)
{
	static char there[sizeof(text)];
	FILE *file;

	(void)state;
	render();
	if (getenv("GH_DOCS")) {
		file = fopen(GH_ROOT "/docs/options.md", "w");
		assert_non_null(file);
		fputs(text, file);
		fclose(file);
		return;
	}
	file = fopen(GH_ROOT "/docs/options.md", "r");
	assert_non_null(file);
	there[fread(there, 1, sizeof(there) - 1, file)] = '\0';
	fclose(file);
	if (strcmp(there, text))
		fail_msg("docs/options.md does not match boot/options.c: run `make docs`");
}

static void test_set(void **state)
{
	struct boot_options o;

	(void)state;
	boot_options_parse(&o, "console=com1,e9 reserve=4K panic=reset");
	assert_int_equal(o.console, 1 | 8);
	assert_int_equal(o.reserve, 4096);
	assert_int_equal(o.panic, PANIC_RESET);
	boot_options_parse(&o, "console=");
	assert_int_equal(o.console, 0);
	log_clear();
	boot_options_parse(&o, "console=com1,com9");
	assert_int_equal(o.console, CONSOLE_AUTO);
	assert_true(log_has("give com1, com2, vga, e9 or fb, separated by commas"));
	log_clear();
	boot_options_parse(&o, "strikt");
	assert_true(log_has("did you mean \"strict\""));
	assert_false(o.strict);
}

static void test_boot(void **state)
{
	struct boot_options o;

	(void)state;
	boot_options_parse(&o, "");
	assert_int_equal(o.boot, BOOT_FROM_MODULES);
	boot_options_parse(&o, "boot=hd7");
	assert_int_equal(o.boot, BOOT_HD7);
	assert_non_null(boot_refusal(&o, true));
	assert_null(boot_refusal(&o, false));
	boot_options_parse(&o, "boot=disk");
	assert_int_equal(o.boot, BOOT_DISK);
	assert_non_null(boot_refusal(&o, true));
	boot_options_parse(&o, "boot=efi");
	assert_int_equal(o.boot, BOOT_EFI);
	assert_null(boot_refusal(&o, true));
	assert_non_null(boot_refusal(&o, false));
	boot_options_parse(&o, "boot=\\\\EFI\\\\debian\\\\grubx64.efi");
	assert_int_equal(o.boot, BOOT_PATH);
	boot_options_parse(&o, "boot=/EFI/x");
	assert_int_equal(o.boot, BOOT_PATH);
	assert_null(boot_refusal(&o, true));
	assert_non_null(boot_refusal(&o, false));
	log_clear();
	boot_options_parse(&o, "boot=EFI/x");
	assert_int_equal(o.boot, BOOT_FROM_MODULES);
	assert_true(log_has("disk or efi, or a path that begins with \\ or /"));
	assert_null(boot_refusal(&o, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docs),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
