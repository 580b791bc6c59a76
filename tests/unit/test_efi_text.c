/* SPDX-License-Identifier: MIT */
/*
 * The texts of the UEFI front door: options from a file and from load options, and conversions.
 */
#include "tests/unit/stubs.h"

#include "boot/efi/door.h"
#include "boot/efi/option_text.h"

static char cmdline[64];

static const char *from_file(const void *bytes, size_t n)
{
	void *copy = exact_copy(bytes, n);
	bool fits;

	cmdline[0] = '\0';
	fits = append_file(cmdline, sizeof(cmdline), copy, n);
	free(copy);
	return fits ? cmdline : NULL;
}

static const char *from_options(const void *bytes, size_t n)
{
	void *copy = exact_copy(bytes, n);
	bool fits;

	cmdline[0] = '\0';
	fits = append_load_options(cmdline, sizeof(cmdline), copy, n, "Glass.efi");
	free(copy);
	return fits ? cmdline : NULL;
}

#define FILE_TEXT(text) from_file(text, sizeof(text) - 1)
#define OPTIONS(text)   from_options(text, sizeof(text))

static void test_file(void **state)
{
	(void)state;
	assert_string_equal(FILE_TEXT(""), "");
	assert_string_equal(FILE_TEXT("strict\ncpus=2\n"), "strict cpus=2 ");
	assert_string_equal(FILE_TEXT("strict\r\n\r\n\tcpus=2"), "strict cpus=2");
	assert_string_equal(FILE_TEXT("# all of it\na=#1 b#c #d\n#e"), "a=#1 b#c ");
	assert_string_equal(FILE_TEXT("boot=\\EFI\\a.efi"), "boot=\\\\EFI\\\\a.efi");
	assert_string_equal(FILE_TEXT("a=\"x  # y\""), "a=\"x  # y\"");
	/* A quote ends with its line. */
	assert_string_equal(FILE_TEXT("a=\"x\nb=\"y"), "a=\"x\" b=\"y\"");
	assert_string_equal(FILE_TEXT("# it's \"so\nb=\"1 2\""), "b=\"1 2\"");
	assert_string_equal(FILE_TEXT("ab\0c\x01 d"), "ab c d");
	/* Byte order marks. */
	assert_string_equal(FILE_TEXT("\xef\xbb\xbf"
				      "a=\xc3\xbc"),
			    "a=\xc3\xbc");
	assert_string_equal(FILE_TEXT("\xff\xfe"
				      "a\0=\0\\\0\xfc\0\xac\x20\n\0x"),
			    "a=\\\\\xc3\xbc\xe2\x82\xac ");
}

static void test_load_options(void **state)
{
	(void)state;
	assert_string_equal(from_options("", 0), "");
	assert_string_equal(OPTIONS(L"boot=\\EFI\\x.efi cpus=2"), "boot=\\\\EFI\\\\x.efi cpus=2");
	assert_string_equal(OPTIONS("boot=efi"), "boot=efi");
	assert_string_equal(OPTIONS(L"a\0junk\xffff"), "a");
	/* The program's name. */
	assert_string_equal(OPTIONS(L"FS0:\\EFI\\Other.EFI boot=efi"), " boot=efi");
	assert_string_equal(OPTIONS(L"glass boot=efi"), " boot=efi");
	assert_string_equal(OPTIONS(L"\"fs0:\\a b\\glass\" boot=efi"), " boot=efi");
	assert_string_equal(OPTIONS(L"glass.efi"), "");
	assert_string_equal(OPTIONS(L"strict glass"), "strict glass");
	assert_string_equal(OPTIONS(L"boot=\\x.efi"), "boot=\\\\x.efi");
	/* Characters beyond ASCII become UTF-8. */
	assert_string_equal(OPTIONS(L"boot=\\M\x00fc\x20ac.efi"),
			    "boot=\\\\M\xc3\xbc\xe2\x82\xac.efi");
	assert_string_equal(OPTIONS(L"\x00fc=1"), "\xc3\xbc=1");
	assert_string_equal(OPTIONS("boot=\\M\xc3\xbc\xe2\x82\xac.efi"),
			    "boot=\\\\M\xc3\xbc\xe2\x82\xac.efi");
	/* Behind what is there. */
	strcpy(cmdline, "boot=disk");
	assert_true(append_load_options(cmdline, sizeof(cmdline), L"g.efi boot=efi", 30, "g.efi"));
	assert_string_equal(cmdline, "boot=disk boot=efi");
}

#define IS_TEXT(bytes) load_options_are_text(bytes, sizeof(bytes))

/* Binary data is no text, and nothing of it becomes an option. */
static void test_binary(void **state)
{
	/* What OVMF has in the boot entries that it makes itself. */
	static const u8 guid[] = {0x4e, 0xac, 0x08, 0x81, 0x11, 0x9f, 0x59, 0x4d,
				  0x85, 0x0e, 0xe2, 0x1a, 0x52, 0x2c, 0x59, 0xb2};

	(void)state;
	assert_true(load_options_are_text(NULL, 0));
	assert_true(IS_TEXT(""));
	assert_true(IS_TEXT("boot=efi\r\n"));
	assert_true(IS_TEXT("\0\0BO\xff")); /* nothing before its NUL */
	assert_true(IS_TEXT(L"boot=\\M\x00fc"));
	assert_true(IS_TEXT("M\xc3\xbc\xe2\x82\xac"));
	assert_false(IS_TEXT(guid));
	assert_string_equal(from_options(guid, sizeof(guid)), "");
	assert_false(IS_TEXT("a=1\x07"));
	assert_string_equal(OPTIONS("a=1\x07"), "");
	assert_false(IS_TEXT(L"a=1\x0085"));
	/* Latin-1; a byte too few, and one that begins no character. */
	assert_false(IS_TEXT("M\xfcller"));
	assert_string_equal(OPTIONS("boot=M\xfcller"), "");
	assert_false(IS_TEXT("a\xe2\x82"));
	assert_false(IS_TEXT("a\xe2\x82z"));
	assert_false(load_options_are_text("a\xc3", 2));
	assert_false(IS_TEXT("a\x82"));
	assert_false(IS_TEXT("a\xff"));
}

static void test_room(void **state)
{
	char text[sizeof(cmdline) + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_non_null(from_file(text, sizeof(cmdline) - 1));
	assert_int_equal(strlen(cmdline), sizeof(cmdline) - 1);
	assert_null(from_file(text, sizeof(cmdline)));
	assert_null(from_options(text, sizeof(cmdline)));
	memset(text, '\\', sizeof(text));
	assert_non_null(from_file(text, 31));
	assert_null(from_file(text, 32));
	text[0] = '"';
	memset(text + 1, 'x', sizeof(text) - 1);
	assert_null(from_file(text, sizeof(cmdline) - 1));
}

static void test_option(void **state)
{
	char value[8] = "", text[300], large[DOOR_VALUE_MAX];

	(void)state;
	assert_int_equal(door_option("", "boot", value, sizeof(value)), -1);
	assert_int_equal(door_option("boots=1 boot xboot=1", "boot", value, sizeof(value)), -1);
	assert_int_equal(door_option("boot=1 \"boot=a b\" cpus=3", "boot", value, sizeof(value)),
			 3);
	assert_string_equal(value, "a b");
	assert_int_equal(door_option("boot=\\\\E\\\\x", "boot", value, sizeof(value)), 4);
	assert_string_equal(value, "\\E\\x");
	assert_int_equal(door_option("boot=1 boot=12345678", "boot", value, sizeof(value)), 8);
	assert_string_equal(value, "1234567");
	assert_int_equal(door_option("boot=12345678 boot=", "boot", value, sizeof(value)), 0);
	assert_string_equal(value, "");
	/* Words of 255 and 256 characters. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "boot=", 5);
	text[255] = '\0';
	assert_int_equal(door_option(text, "boot", large, sizeof(large)), 250);
	text[255] = 'x';
	text[256] = '\0';
	assert_true(door_option(text, "boot", large, sizeof(large)) >= (int)sizeof(large));
}

static void test_wide(void **state)
{
	CHAR16 wide[8];
	char text[6];

	(void)state;
	assert_int_equal(text_to_wide(wide, 8, "a\xc3\xbc\xe2\x82\xac"), 3);
	assert_memory_equal(wide, L"a\x00fc\x20ac", 8);
	assert_int_equal(text_to_wide(wide, 8, "\xff\xc3z\xe2\x82"), 5);
	assert_memory_equal(wide, L"??z??", 12);
	assert_int_equal(text_to_wide(wide, 8, "\xf0\x9f\x98\x80\xc3"), 5);
	assert_int_equal(text_to_wide(wide, 2, "abc"), 3);
	assert_memory_equal(wide, L"a", 4);
	wide_to_text(text, sizeof(text),
		     L"a\x00fc\x001b"
		     L"bcdef",
		     100);
	assert_string_equal(text, "a??bc");
	wide_to_text(text, sizeof(text), L"abc", 2);
	assert_string_equal(text, "ab");
	wide_to_text(text, 1, L"abc", 3);
	assert_string_equal(text, "");
	/* No room at all: nothing is written. */
	text[0] = 'x';
	wide_to_text(text, 0, L"abc", 3);
	assert_int_equal(text[0], 'x');
}

/* 4,096 characters and the NUL. */
static void test_longest_command_line(void **state)
{
	struct efi_handoff *h = NULL;

	(void)state;
	assert_int_equal(DOOR_CMDLINE, 4097);
	assert_int_equal(sizeof(h->cmdline), 4097);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_load_options),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_option),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_longest_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
