/* SPDX-License-Identifier: MIT */
/*
 * The multiboot 2 parser: it parses correct information, and survives any other bytes.
 */
#include "tests/unit/stubs.h"

#include "boot/boot_info.h"
#include "errno.h"

#define MAGIC MULTIBOOT2_BOOTLOADER_MAGIC

/* The boot information structure that the test builds. */
static u8 mbi[65536];
static u32 mbi_len;
static struct boot_info bi;

static void mbi_start(void)
{
	memset(mbi, 0, sizeof(mbi));
	mbi_len = 8;
	log_clear();
}

static void add_tag(u32 type, const void *data, u32 n)
{
	u32 size = n + 8;

	memcpy(mbi + mbi_len, &type, 4);
	memcpy(mbi + mbi_len + 4, &size, 4);
	if (n)
		memcpy(mbi + mbi_len + 8, data, n);
	mbi_len += (u32)ALIGN_UP(size, 8);
}

static void add_mmap(u32 entry_size, const struct mem_range *r, unsigned nr)
{
	static u8 data[32768];
	u32 head[2] = {entry_size, 0};

	memset(data, 0, sizeof(data));
	memcpy(data, head, 8);
	for (unsigned i = 0; i < nr; i++) {
		memcpy(data + 8 + (size_t)i * entry_size, &r[i].base, 8);
		memcpy(data + 16 + (size_t)i * entry_size, &r[i].size, 8);
		memcpy(data + 24 + (size_t)i * entry_size, &r[i].type, 4);
	}
	add_tag(6, data, 8 + nr * entry_size);
}

static void add_module(u32 start, u32 end, const char *string, u32 n)
{
	u8 data[8 + 4097];

	memcpy(data, &start, 4);
	memcpy(data + 4, &end, 4);
	memcpy(data + 8, string, n);
	add_tag(3, data, 8 + n);
}

static const struct mem_range some_ram = {0x100000, 0x10000000, MEM_RAM};

/* Parse a copy of exactly the right size, so that the sanitizer sees any access beyond it. */
static int parse_exact(u32 magic, size_t max)
{
	void *copy = exact_copy(mbi, max);
	int err = boot_info_parse(&bi, magic, copy, max);

	free(copy);
	return err;
}

static int mbi_parse(void)
{
	add_tag(0, NULL, 0);
	memcpy(mbi, &mbi_len, 4);
	return parse_exact(MAGIC, mbi_len);
}

static void test_all_tags(void **state)
{
	const struct mem_range map[] = {{0, 0x9f000, 1},           {0x9f000, 0x1000, 2},
					{0x100000, 0x3fef0000, 1}, {0x3fff0000, 0x10000, 3},
					{0x40000000, 0x1000, 4},   {0x40001000, 0x1000, 5},
					{0x40002000, 0x1000, 77},  {0x100000000, 0x40000000, 7}};
	u8 fb[30] = {0}, rsdp1[20], rsdp2[36];

	(void)state;
	mbi_start();
	add_tag(1, "icept=pf log=info", 18);
	add_tag(2, "GRUB 2.06-13", 13);
	add_tag(4, "12345678", 8);
	add_tag(5, "123456789abc", 12);
	add_module(0x200000, 0x300000, "linux quiet", 12);
	add_module(0x300000, 0x300000, "initrd", 7);
	add_mmap(24, map, ARRAY_SIZE(map));
	memcpy(fb, &(u64){0xfd000000}, 8);
	memcpy(fb + 8, (u32[]){4096, 1024, 768}, 12);
	memcpy(fb + 20, (u8[]){32, 1, 0, 0, 16, 8, 8, 8, 0, 8}, 10);
	add_tag(8, fb, sizeof(fb));
	add_tag(12, "12345678", 8);
	memset(rsdp1, 1, sizeof(rsdp1));
	memset(rsdp2, 2, sizeof(rsdp2));
	add_tag(15, rsdp2, 36);
	add_tag(14, rsdp1, 20);
	add_tag(18, NULL, 0);
	add_tag(20, "12345678", 8);
	add_tag(21, "1234", 4);
	add_tag(9999, "?", 1);
	assert_int_equal(mbi_parse(), 0);

	assert_string_equal(bi.cmdline, "icept=pf log=info");
	assert_int_equal(bi.nr_modules, 2);
	assert_int_equal(bi.modules[0].start, 0x200000);
	assert_int_equal(bi.modules[0].size, 0x100000);
	assert_string_equal(bi.modules[0].string, "linux quiet");
	assert_int_equal(bi.modules[1].size, 0);
	assert_int_equal(bi.nr_mem, ARRAY_SIZE(map));
	for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
		assert_int_equal(bi.mem[i].base, map[i].base);
		assert_int_equal(bi.mem[i].size, map[i].size);
		assert_int_equal(bi.mem[i].type, map[i].type == 77 ? 2 : map[i].type);
	}
	assert_int_equal(bi.fb.address, 0xfd000000);
	assert_int_equal(bi.fb.pitch, 4096);
	assert_int_equal(bi.fb.width, 1024);
	assert_int_equal(bi.fb.height, 768);
	assert_int_equal(bi.fb.bpp, 32);
	assert_int_equal(bi.fb.type, FB_RGB);
	assert_int_equal(bi.fb.red.position, 16);
	assert_int_equal(bi.fb.blue.size, 8);
	assert_int_equal(bi.rsdp_length, 36);
	assert_memory_equal(bi.rsdp, rsdp2, 36);
	assert_true(bi.efi_boot_services);
	assert_string_equal(log_text(), "");
}

static void test_old_rsdp(void **state)
{
	u8 rsdp[44];

	(void)state;
	memset(rsdp, 7, sizeof(rsdp));
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(14, rsdp, 24); /* a tag larger than its RSDP */
	assert_int_equal(mbi_parse(), 0);
	assert_int_equal(bi.rsdp_length, 20);

	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(14, rsdp, 20);
	add_tag(15, rsdp, 44);
	assert_int_equal(mbi_parse(), 0);
	assert_int_equal(bi.rsdp_length, 44);

	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(14, rsdp, 19);
	assert_int_equal(mbi_parse(), 0);
	assert_int_equal(bi.rsdp_length, 0);
	assert_true(log_has("ACPI old RSDP"));
}

static void test_refusals(void **state)
{
	u32 size;

	(void)state;
	mbi_start();
	add_mmap(24, &some_ram, 1);
	assert_int_equal(mbi_parse(), 0);
	assert_int_equal(parse_exact(0x2badb002, mbi_len), -EINVAL);
	assert_true(log_has("0x2badb002"));
	assert_int_equal(parse_exact(MAGIC, mbi_len - 1), -EINVAL);
	assert_true(log_has("total_size is"));
	for (size_t max = 0; max < 8; max++)
		assert_int_equal(parse_exact(MAGIC, max), -EINVAL);

	/* A tag smaller than its own header, and one that reaches beyond the end. */
	for (unsigned i = 0; i < 4; i++) {
		size = (u32[]){0, 7, mbi_len - 7, 0xffffffff}[i];
		memcpy(mbi + 12, &size, 4);
		log_clear();
		assert_int_equal(parse_exact(MAGIC, mbi_len), -EINVAL);
		assert_true(log_has("type 6 at offset 8"));
	}

	mbi_start();
	assert_int_equal(mbi_parse(), -ENOENT);
	assert_true(log_has("no memory map"));

	mbi_start();
	add_mmap(16, &some_ram, 1);
	assert_int_equal(mbi_parse(), -EINVAL);
	assert_true(log_has("entry_size is 16"));
}

static void test_mmap_entries(void **state)
{
	const struct mem_range map[] = {{0, 0x1000, 1},          {0x1000, 0, 1},
					{UINT64_MAX, 2, 1},      {1ull << 52, 1, 2},
					{0x5000, UINT64_MAX, 1}, {(1ull << 52) - 1, 1, 2},
					{0x2000, 0x1000, 0}};
	static struct mem_range many[BOOT_MEM_RANGES + 1];

	(void)state;
	for (u32 entry_size = 24; entry_size <= 40; entry_size += 8) {
		mbi_start();
		add_mmap(entry_size, map, ARRAY_SIZE(map));
		assert_int_equal(mbi_parse(), 0);
		assert_int_equal(bi.nr_mem, 3);
		assert_int_equal(bi.mem[1].base, (1ull << 52) - 1);
		assert_int_equal(bi.mem[2].type, MEM_RESERVED);
		assert_true(log_has("0xffffffffffffffff bytes of RAM at 0x5000"));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct mem_range){i * 0x2000, 0x1000, 1};
	mbi_start();
	add_mmap(24, many, BOOT_MEM_RANGES);
	assert_int_equal(mbi_parse(), 0);
	mbi_start();
	add_mmap(24, many, BOOT_MEM_RANGES + 1);
	assert_int_equal(mbi_parse(), -E2BIG);
}

static void test_strings_and_modules(void **state)
{
	static char text[4097];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(1, text, sizeof(text));
	add_module(1, 2, text, sizeof(text));
	add_module(1, 2, "", 1);
	assert_int_equal(mbi_parse(), 0);
	assert_string_equal(bi.cmdline, text);
	assert_int_equal(bi.nr_modules, 2);
	assert_string_equal(bi.modules[0].string, text);
	assert_string_equal(bi.modules[1].string, "");

	/* Nothing is left out, or cut. */
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_module(2, 1, "bad", 4);
	assert_int_equal(mbi_parse(), -EINVAL);
	assert_true(log_has("starts at 0x2 but ends at 0x1"));
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_module(1, 2, "abcdefgh", 8);
	assert_int_equal(mbi_parse(), -EINVAL);
	assert_true(log_has("has no terminating NUL within its tag of 8 bytes"));

	/* As many modules as there may be, with what strings they have commonly; one more. */
	text[250] = '\0';
	mbi_start();
	add_mmap(24, &some_ram, 1);
	for (int i = 0; i < BOOT_MODULES; i++)
		add_module(0x1000, 0x2000, text, 251);
	assert_int_equal(mbi_parse(), 0);
	assert_int_equal(bi.nr_modules, 128);
	assert_string_equal(bi.modules[127].string, text);
	assert_string_equal(bi.cmdline, "");
	assert_string_equal(log_text(), "");
}

/* What does not fit is refused, never cut or left out. */
static void test_too_much(void **state)
{
	static char text[BOOT_TEXT_SIZE + 1];

	(void)state;
	mbi_start();
	add_mmap(24, &some_ram, 1);
	for (int i = 0; i < BOOT_MODULES + 1; i++)
		add_module(i == BOOT_MODULES ? 0x1234 : 0x1000, 0x2000, "m", 2);
	assert_int_equal(mbi_parse(), -E2BIG);
	assert_true(log_has("more than 128 modules, the first that is too many is at 0x1234"));

	memset(text, 'x', sizeof(text) - 1);
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(1, text, sizeof(text));
	assert_int_equal(mbi_parse(), -E2BIG);
	assert_true(log_has("the command line is 40960 characters long, but of the 40960"));
	assert_true(log_has("only 40959 are left"));
	text[BOOT_TEXT_SIZE - 1] = '\0';
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(1, text, BOOT_TEXT_SIZE);
	assert_int_equal(mbi_parse(), 0);
	assert_string_equal(bi.cmdline, text);
	mbi_len -= 8; /* the end tag */
	add_module(0x1000, 0x2000, "m", 2);
	assert_int_equal(mbi_parse(), -E2BIG);
	assert_true(log_has("only 0 are left"));
	assert_int_equal(bi.nr_modules, 0);
}

static void try_fb(u64 address, u32 pitch, u32 width, u32 height, u8 bpp, u8 type, u32 n)
{
	u8 fb[30] = {0};

	memcpy(fb, &address, 8);
	memcpy(fb + 8, (u32[]){pitch, width, height}, 12);
	fb[20] = bpp;
	fb[21] = type;
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_tag(8, fb, n);
	assert_int_equal(mbi_parse(), 0);
}

static void test_framebuffer(void **state)
{
	(void)state;
	try_fb(0xb8000, 160, 80, 25, 16, FB_TEXT, 24);
	assert_int_equal(bi.fb.width, 80);
	try_fb(0xe0000000, 4096, 1024, 768, 32, FB_RGB, 30);
	assert_int_equal(bi.fb.width, 1024);
	try_fb(0xe0000000, 4096, 1024, 768, 32, FB_RGB, 29);
	assert_int_equal(bi.fb.address, 0);
	try_fb(0xe0000000, 4095, 1024, 768, 32, FB_RGB, 30);
	assert_int_equal(bi.fb.address, 0);
	try_fb(0xe0000000, 0xffffffff, 0xffffffff, 768, 255, FB_RGB, 30);
	assert_int_equal(bi.fb.address, 0);
	try_fb(0xfffffffffffff000, 4096, 1024, 768, 32, FB_RGB, 30);
	assert_int_equal(bi.fb.address, 0);
	try_fb(0xe0000000, 4096, 0, 768, 32, FB_RGB, 30);
	assert_int_equal(bi.fb.address, 0);
	try_fb(0xe0000000, 4096, 1024, 768, 32, 3, 30);
	assert_int_equal(bi.fb.address, 0);
}

/* A framebuffer that has a byte in common with RAM is dropped, one in reserved memory is kept. */
static void test_framebuffer_in_ram(void **state)
{
	static const struct {
		u64 address;
		bool kept;
	} cases[] = {
		{0x10100000, true}, {0x100ff000, false}, {0x200000, false},
		{0x1000, false},    {0x20000000, true},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		try_fb(cases[i].address, 4096, 1024, 768, 32, FB_RGB, 30);
		bi.mem[bi.nr_mem++] = (struct mem_range){0x20000000, 0x1000000, MEM_RESERVED};
		boot_info_check_framebuffer(&bi);
		assert_int_equal(bi.fb.address, cases[i].kept ? cases[i].address : 0);
		assert_int_equal(log_has("is in RAM"), !cases[i].kept);
	}
}

/* A structure without an end tag, cut at every length. */
static void test_cut(void **state)
{
	u32 full;

	(void)state;
	mbi_start();
	add_mmap(24, &some_ram, 1);
	add_module(0x1000, 0x2000, "linux", 6);
	add_tag(1, "words", 6);
	add_tag(0, NULL, 0);
	full = mbi_len;
	for (u32 n = 8; n < full; n++) {
		memcpy(mbi, &n, 4);
		parse_exact(MAGIC, n);
	}
	memcpy(mbi, &(u32){full - 8}, 4);
	log_clear();
	assert_int_equal(parse_exact(MAGIC, full - 8), 0);
	assert_true(log_has("no end tag"));
	assert_string_equal(bi.cmdline, "words");
}

/* The result is usable whatever the input was: strings are terminated, counts are in range. */
static void check_sane(void)
{
	assert_true(bi.nr_mem <= BOOT_MEM_RANGES && bi.nr_modules <= BOOT_MODULES);
	assert_true(bi.rsdp_length <= BOOT_RSDP_SIZE);
	assert_true(bi.text_used <= BOOT_TEXT_SIZE);
	assert_true(strlen(bi.cmdline) < BOOT_TEXT_SIZE);
	for (unsigned i = 0; i < bi.nr_modules; i++)
		assert_true(bi.modules[i].string + strlen(bi.modules[i].string) <
			    bi.text + bi.text_used);
	for (unsigned i = 0; i < bi.nr_mem; i++) {
		assert_true(bi.mem[i].size && bi.mem[i].base + bi.mem[i].size <= MEM_LIMIT);
		assert_int_equal(bi.mem[i].type, mem_known_type(bi.mem[i].type));
	}
}

/* Random bytes, and correct structures with some bytes changed. */
static void test_random(void **state)
{
	u64 seed = 3;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		mbi_start();
		if (i & 1) {
			u32 n = 8 + (u32)rand_below(&seed, 400);

			for (u32 k = 0; k < n; k++)
				mbi[k] = (u8)(rand_below(&seed, 3) ? rand_below(&seed, 32)
								   : rand_next(&seed));
			memcpy(mbi, &n, 4);
			mbi_len = n;
		} else {
			add_mmap(24, &some_ram, 1);
			add_module(0x1000, 0x2000, "linux", 6);
			add_tag(14, "12345678901234567890", 20);
			add_tag(8, "123456789012345678901234567890", 30);
			add_tag(0, NULL, 0);
			memcpy(mbi, &mbi_len, 4);
			for (u64 k = rand_below(&seed, 8); k; k--)
				mbi[8 + rand_below(&seed, mbi_len - 8)] = (u8)rand_next(&seed);
		}
		parse_exact(MAGIC, mbi_len);
		check_sane();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_tags),
		cmocka_unit_test(test_old_rsdp),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_mmap_entries),
		cmocka_unit_test(test_strings_and_modules),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_framebuffer),
		cmocka_unit_test(test_framebuffer_in_ram),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
