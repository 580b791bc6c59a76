/* SPDX-License-Identifier: MIT */
/*
 * The Linux loader: it checks images, places kernel, initrd and tables without overlap, and copies
 * them intact, wherever the boot loader has put them.
 */
#include "tests/unit/guest_memory.h"

#include "errno.h"
#include "vmm/load/linux.h"

/* Write an image of protocol 2.15 with @kernel_size bytes after 2 KiB of setup code. */
static void put_image(u8 *image, u32 kernel_size, u32 init_size)
{
	put(image, 0x1f1, 3, 1);
	put(image, 0x1f4, kernel_size / 16, 4);
	put(image, 0x1fe, 0xaa55, 2);
	put(image, 0x200, 0x6aeb, 2); /* the header ends at 26c */
	put(image, 0x202, 0x53726448, 4);
	put(image, 0x206, 0x20f, 2);
	put(image, 0x211, 1, 1);
	put(image, 0x22c, 0x7fffffff, 4);
	put(image, 0x230, 0x1000, 4);
	put(image, 0x234, 1, 1);
	put(image, 0x236, 0x7f, 2);
	put(image, 0x238, 2047, 4);
	put(image, 0x258, MIB(1), 8);
	put(image, 0x260, init_size, 4);
	put(image, 0x268, 0x1234, 4);
}

static u8 image[8192];

static int check_cut(size_t size)
{
	struct linux_image out;
	u8 *copy = exact_copy(image, size);
	int err;

	log_clear();
	err = linux_check(copy, size, &out);
	free(copy);
	return err;
}

static void good_image(void)
{
	memset(image, 0x90, sizeof(image));
	put_image(image, 6144, 0x10000);
}

static void test_check(void **state)
{
	struct linux_image out;

	(void)state;
	good_image();
	assert_int_equal(linux_check(image, sizeof(image), &out), 0);
	assert_int_equal(out.version, 0x20f);
	assert_int_equal(out.setup_size, 2048);
	assert_int_equal(out.kernel_size, 6144);
	assert_int_equal(out.memory_size, 0x10000);
	assert_int_equal(out.pref_address, MIB(1));
	assert_int_equal(out.alignment, 0x1000);
	assert_true(out.relocatable);
	assert_int_equal(out.initrd_max, 0x7fffffff);
	assert_int_equal(out.cmdline_size, 2047);
	assert_int_equal(out.setup_header_size, 0x26c - 0x1f1);

	put(image, 0x1f1, 0, 1); /* 0 means 4 */
	put(image, 0x1f4, 1, 4);
	assert_int_equal(linux_check(image, sizeof(image), &out), 0);
	assert_int_equal(out.setup_size, 2560);
	put(image, 0x201, 0xff, 1); /* longer than any real header */
	assert_int_equal(linux_check(image, sizeof(image), &out), 0);
	assert_int_equal(out.setup_header_size, LINUX_SETUP_HEADER_MAX);

	/* init_size is less than the kernel's own size. */
	good_image();
	put(image, 0x260, 1, 4);
	assert_int_equal(linux_check(image, sizeof(image), &out), 0);
	assert_int_equal(out.memory_size, 0x2000);
}

static void test_refusals(void **state)
{
	static const struct {
		u32 at, bytes;
		u64 value;
		const char *field;
	} bad[] = {
		{0x1fe, 2, 0x1234, "boot_flag is 0x1234"},
		{0x202, 4, 0, "header is 0"},
		{0x206, 2, 0x202, "version is 0x202"},
		{0x201, 1, 0x65, "jump is 0x65"},
		{0x211, 1, 0xfe, "loadflags is 0xfe"},
		{0x260, 4, 0, "init_size is 0"},
		{0x258, 8, 0, "pref_address is 0"},
		{0x258, 8, 0x100800, "pref_address is 0x100800"},
		{0x258, 8, 0x100000000, "pref_address is 0x100000000"},
		{0x230, 4, 0, "kernel_alignment is 0"},
		{0x230, 4, 0x3000, "kernel_alignment is 0x3000"},
		{0x230, 4, 0x800, "kernel_alignment is 0x800"},
		{0x1f1, 1, 15, "setup_sects is 0xf"},
		{0x1f1, 1, 255, "setup_sects is 0xff"},
		{0x1f4, 4, 385, "syssize is 0x181"},
		{0x1f4, 4, 0xffffffff, "syssize is 0xffffffff"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		good_image();
		put(image, bad[i].at, bad[i].value, bad[i].bytes);
		assert_int_equal(check_cut(sizeof(image)), -ENOEXEC);
		assert_true(log_has("module linux: "));
		assert_true(log_has(bad[i].field));
	}
	good_image();
	assert_int_equal(check_cut(sizeof(image)), 0);
	for (size_t size = 0; size < sizeof(image) - 15; size += size < 2600 ? 1 : 99)
		assert_int_equal(check_cut(size), -ENOEXEC);
}

static void test_random_headers(void **state)
{
	u64 seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		good_image();
		for (u64 k = rand_below(&seed, 6); k; k--)
			image[0x1f1 + rand_below(&seed, 0x80)] = (u8)rand_next(&seed);
		check_cut(0x290 + rand_below(&seed, sizeof(image) - 0x28f));
	}
}

/* One random machine. */
static struct {
	struct memmap map;
	struct mem_range keep[6]; /* small reserved ranges */
	unsigned nr_keep;
	struct mem_range initrd[3];
	u64 initrd_size;
	struct linux_input in;
	struct linux_image image;
	u32 image_size;
	struct linux_plan plan;
} t;

static bool random_machine(u64 *seed)
{
	struct mem_range r[8] = {{0, 0x9f000, MEM_RAM}, {MIB(1), MEMORY - MIB(1), MEM_RAM}};
	struct mem_range placed[10];
	unsigned nr = 2, nr_placed = 0, nr_initrd = (unsigned)rand_below(seed, 4);

	for (u64 k = rand_below(seed, 4); k; k--, nr++)
		r[nr] = (struct mem_range){rand_below(seed, MEMORY), rand_below(seed, 200000),
					   (u32)(2 + rand_below(seed, 3))};
	assert_int_equal(memmap_init(&t.map, r, nr), 0);

	t.image_size = 2048 + 16 * (64 + (u32)rand_below(seed, 40000));
	if (!place(&t.map, placed, &nr_placed, t.image_size, PAGE_SIZE, seed))
		return false;
	memset(&t.in, 0, sizeof(t.in));
	t.in.kernel = placed[0].base;
	t.in.initrd = t.initrd;
	t.initrd_size = 0;
	for (; t.in.nr_initrd < nr_initrd; t.in.nr_initrd++) {
		u64 size = 1 + rand_below(seed, 600000);

		if (!place(&t.map, placed, &nr_placed, size, PAGE_SIZE, seed))
			return false;
		t.initrd[t.in.nr_initrd] = placed[nr_placed - 1];
		t.initrd_size = ALIGN_UP(t.initrd_size, 4) + size;
	}
	t.nr_keep = 0;
	for (u64 k = rand_below(seed, 4); k; k--) {
		if (place(&t.map, placed, &nr_placed, 1 + rand_below(seed, 9000), 1, seed))
			t.keep[t.nr_keep++] = placed[nr_placed - 1];
	}
	for (unsigned k = 0; k < t.nr_keep; k++)
		assert_int_equal(memmap_reserve(&t.map, t.keep[k].base, t.keep[k].size), 0);
	t.in.cmdline = "console=ttyS0 quiet";
	t.in.rsdp = 0xf0010;

	for (u64 *p = (u64 *)memory, x = rand_next(seed); p < (u64 *)(memory + MEMORY); p++)
		*p = x += 0x9e3779b97f4a7c15ull;
	put_image(memory + t.in.kernel, t.image_size - 2048, (u32)rand_below(seed, MIB(1)) + 1);
	put(memory + t.in.kernel, 0x258, MIB(1) + rand_below(seed, 300) * PAGE_SIZE, 8);
	put(memory + t.in.kernel, 0x230, PAGE_SIZE << rand_below(seed, 6), 4);
	put(memory + t.in.kernel, 0x234, rand_below(seed, 4), 1);
	memcpy(before, memory, MEMORY);
	assert_int_equal(linux_check(memory + t.in.kernel, t.image_size, &t.image), 0);
	return true;
}

static bool is_ram(u64 base, u64 size)
{
	struct memmap_query q = {.size = size, .min = base, .max = base + size};

	return memmap_find(&t.map, &q) == base;
}

static u64 block_size(void)
{
	return ALIGN_UP(t.plan.cmdline + strlen(t.in.cmdline) + 1, PAGE_SIZE) - t.plan.boot_params;
}

static void check_places(void)
{
	struct mem_range dst[3] = {{t.plan.kernel, t.image.memory_size, 0},
				   {t.plan.boot_params, block_size(), 0},
				   {t.plan.initrd, t.initrd_size, 0}};

	for (unsigned i = 0; i < 3; i++) {
		if (dst[i].size)
			assert_true(is_ram(dst[i].base, dst[i].size));
		for (unsigned k = 0; k < i; k++)
			assert_false(
				ranges_overlap(dst[i].base, dst[i].size, dst[k].base, dst[k].size));
		for (unsigned k = 0; k < t.nr_keep; k++)
			assert_false(ranges_overlap(dst[i].base, dst[i].size, t.keep[k].base,
						    t.keep[k].size));
	}
	assert_true(t.plan.kernel == t.image.pref_address ||
		    (t.image.relocatable && IS_ALIGNED(t.plan.kernel, t.image.alignment) &&
		     t.plan.kernel > t.image.pref_address));
	assert_true(IS_ALIGNED(t.plan.initrd, PAGE_SIZE) && IS_ALIGNED(t.plan.cr3, PAGE_SIZE));
	assert_int_equal(t.plan.entry, t.plan.kernel + 0x200);
}

/* The loader wrote only where the plan says: with these ranges restored, memory is as before. */
static void check_rest(void)
{
	static u8 now[MEMORY];

	memcpy(now, memory, MEMORY);
	memcpy(now + t.plan.kernel, before + t.plan.kernel, t.image.kernel_size);
	memcpy(now + t.plan.initrd, before + t.plan.initrd, ALIGN_UP(t.initrd_size, 4));
	memcpy(now + t.plan.boot_params, before + t.plan.boot_params, block_size());
	assert_int_equal(memcmp(now, before, MEMORY), 0);
}

static u64 translate(u64 cr3, u64 va)
{
	u64 pml4e = get(memory, (u32)(cr3 + (va >> 39 & 511) * 8), 8);
	u64 pdpte, pde;

	assert_int_equal(pml4e & 0xfff, 3);
	pdpte = get(memory, (u32)((pml4e & PAGE_MASK) + (va >> 30 & 511) * 8), 8);
	assert_int_equal(pdpte & 0xfff, 3);
	pde = get(memory, (u32)((pdpte & PAGE_MASK) + (va >> 21 & 511) * 8), 8);
	assert_int_equal(pde & 0xfff, 0x83);
	return (pde & ~(MIB(2) - 1)) | (va & (MIB(2) - 1));
}

static void check_boot_params(void)
{
	const u8 *bp = memory + t.plan.boot_params;

	assert_int_equal(get(bp, 0x70, 8), t.in.rsdp);
	assert_int_equal(get(bp, 0x1e8, 1), t.map.nr);
	for (u32 i = 0; i < t.map.nr; i++) {
		assert_int_equal(get(bp, 0x2d0 + i * 20, 8), t.map.r[i].base);
		assert_int_equal(get(bp, 0x2d8 + i * 20, 8), t.map.r[i].size);
		assert_int_equal(get(bp, 0x2e0 + i * 20, 4), t.map.r[i].type);
	}
	assert_int_equal(get(bp, 0x1ef, 1), 0); /* sentinel */
	assert_int_equal(get(bp, 0x202, 4), 0x53726448);
	assert_int_equal(get(bp, 0x210, 1), 0xff);
	assert_int_equal(get(bp, 0x214, 4), t.plan.kernel);
	assert_int_equal(get(bp, 0x218, 4), t.plan.initrd);
	assert_int_equal(get(bp, 0x21c, 4), t.initrd_size);
	assert_int_equal(get(bp, 0x228, 4), t.plan.cmdline);
	assert_int_equal(get(bp, 0x250, 8), 0);
	assert_int_equal(get(bp, 0x268, 4), 0x1234); /* a field that the loader does not know */
	assert_string_equal((char *)memory + t.plan.cmdline, t.in.cmdline);
	assert_int_equal(get(memory, (u32)t.plan.gdt + 0x10, 8), 0x00af9b000000ffff);
	assert_int_equal(get(memory, (u32)t.plan.gdt + 0x18, 8), 0x00cf93000000ffff);
	assert_int_equal(t.plan.gdt_limit, 31);
}

/* The files one after the other, each on the next multiple of 4. Returns how many are where the
 * initrd is now: they had to be moved within it. */
static unsigned check_initrd(void)
{
	unsigned within = 0;
	u64 at = 0;

	for (unsigned i = 0; i < t.in.nr_initrd; i++) {
		at = ALIGN_UP(at, 4);
		assert_memory_equal(memory + t.plan.initrd + at, before + t.initrd[i].base,
				    t.initrd[i].size);
		at += t.initrd[i].size;
		within += ranges_overlap(t.plan.initrd, t.initrd_size, t.initrd[i].base,
					 t.initrd[i].size);
	}
	assert_int_equal(at, t.plan.initrd_size);
	return within;
}

static void test_random_machines(void **state)
{
	unsigned loaded = 0, moved = 0, overlaps = 0, within = 0;
	u64 seed = 8;

	(void)state;
	while (loaded < 300) {
		if (!random_machine(&seed))
			continue;
		log_clear();
		if (linux_plan(&t.image, &t.map, &t.in, &t.plan)) {
			assert_true(log_has("free memory for the"));
			continue;
		}
		check_places();
		assert_int_equal(linux_load(NULL, &t.plan, &t.in, &t.map), 0);
		assert_memory_equal(memory + t.plan.kernel, before + t.in.kernel + 2048,
				    t.image.kernel_size);
		within += check_initrd() > 1;
		check_rest();
		check_boot_params();
		for (u64 va = 0; va < GIB(4); va += MIB(511) + 12345)
			assert_int_equal(translate(t.plan.cr3, va), va);
		loaded++;
		moved += t.plan.kernel != t.image.pref_address;
		for (unsigned i = 0; i < t.in.nr_initrd; i++)
			overlaps += ranges_overlap(t.plan.kernel, t.image.kernel_size,
						   t.initrd[i].base, t.initrd[i].size);
	}
	/* Each kind of case did occur. */
	assert_true(moved > 10 && overlaps > 10 && within > 10);
}

static void simple_machine(void)
{
	const struct mem_range ram = {0, MEMORY, MEM_RAM};

	memset(&t, 0, sizeof(t));
	assert_int_equal(memmap_init(&t.map, &ram, 1), 0);
	good_image();
	assert_int_equal(linux_check(image, sizeof(image), &t.image), 0);
	t.in.kernel = MIB(3);
	t.in.cmdline = "";
	log_clear();
}

static void test_plan_refusals(void **state)
{
	char cmdline[2100];

	(void)state;
	simple_machine();
	memset(cmdline, 'x', sizeof(cmdline));
	cmdline[2048] = '\0';
	t.in.cmdline = cmdline;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -E2BIG);
	assert_true(log_has("2048 characters, this kernel takes 2047"));
	cmdline[2047] = '\0';
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), 0);

	simple_machine();
	t.image.relocatable = false;
	assert_int_equal(memmap_reserve(&t.map, MIB(1), 1), 0);
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -ENOSPC);
	assert_true(log_has("kernel (not relocatable)"));
	t.image.relocatable = true;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), 0);
	assert_int_equal(t.plan.kernel, MIB(1) + 0x1000);

	simple_machine();
	t.in.initrd = t.initrd;
	t.in.nr_initrd = 1;
	t.initrd[0] = (struct mem_range){.base = MIB(2), .size = MIB(3)};
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -ENOSPC);
	t.initrd[0].size = UINT64_MAX;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -E2BIG);
	t.initrd[0].size = GIB(4) - 1;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -E2BIG);
	t.initrd[0].size = t.initrd[1].size = GIB(2);
	t.in.nr_initrd = 2;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -E2BIG);
	assert_true(log_has("4294967296 bytes exceed the boot protocol's limit"));
	t.in.nr_initrd = LINUX_INITRD_FILES + 1;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -E2BIG);
	assert_true(log_has("there are 129, but at most 128"));

	/* The initrd goes below its limit, or is refused. */
	t.in.nr_initrd = 1;
	t.initrd[0].size = 0x10000;
	t.image.initrd_max = MIB(2) - 1;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), 0);
	assert_int_equal(t.plan.initrd, MIB(2) - 0x10000);
	t.image.initrd_max = 0;
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), -ENOSPC);

	simple_machine();
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), 0);
	t.in.kernel = MEMORY;
	assert_int_equal(linux_load(NULL, &t.plan, &t.in, &t.map), -EFAULT);
	assert_true(log_has("kernel image, 6144 bytes at guest-physical 0x400800"));
}

/* More E820 entries than the zero page holds. */
static void test_many_e820(void **state)
{
	static struct mem_range r[200];
	struct memmap e820;
	const u8 *bp, *ext;

	(void)state;
	simple_machine();
	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		r[i] = (struct mem_range){GIB(8) + i * MIB(2), MIB(1), MEM_RESERVED};
	assert_int_equal(memmap_init(&e820, r, ARRAY_SIZE(r)), 0);
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), 0);
	assert_int_equal(linux_load(NULL, &t.plan, &t.in, &e820), 0);
	bp = memory + t.plan.boot_params;
	assert_int_equal(get(bp, 0x1e8, 1), 128);
	assert_int_equal(get(bp, 0x250, 8), t.plan.setup_data);
	ext = memory + t.plan.setup_data;
	assert_int_equal(get(ext, 0, 8), 0);
	assert_int_equal(get(ext, 8, 4), 1); /* SETUP_E820_EXT */
	assert_int_equal(get(ext, 12, 4), 72 * 20);
	assert_int_equal(get(ext, 16, 8), r[128].base);
	assert_int_equal(get(ext, 16 + 71 * 20, 8), r[199].base);
	assert_int_equal(get(ext, 16 + 71 * 20 + 16, 4), MEM_RESERVED);
	assert_int_equal(get(memory, (u32)t.plan.gdt + 0x18, 8), 0x00cf93000000ffff);
}

static void test_screen(void **state)
{
	struct framebuffer fb = {.address = 0x4fd000000,
				 .pitch = 4096,
				 .width = 1024,
				 .height = 768,
				 .bpp = 32,
				 .type = FB_RGB,
				 .red = {16, 8},
				 .green = {8, 8},
				 .blue = {0, 8}};
	const u8 *bp;

	(void)state;
	simple_machine();
	assert_int_equal(linux_plan(&t.image, &t.map, &t.in, &t.plan), 0);
	assert_int_equal(linux_load(NULL, &t.plan, &t.in, &t.map), 0);
	bp = memory + t.plan.boot_params;
	assert_int_equal(bp[6], 3);
	assert_int_equal(bp[7], 80);
	assert_int_equal(bp[0xe], 25);
	assert_int_equal(bp[0xf], 1);
	assert_int_equal(get(bp, 0x10, 2), 16);

	t.in.fb = &fb;
	assert_int_equal(linux_load(NULL, &t.plan, &t.in, &t.map), 0);
	assert_int_equal(bp[0xf], 0x23);
	assert_int_equal(get(bp, 0x12, 2), 1024);
	assert_int_equal(get(bp, 0x14, 2), 768);
	assert_int_equal(get(bp, 0x16, 2), 32);
	assert_int_equal(get(bp, 0x18, 4), 0xfd000000);
	assert_int_equal(get(bp, 0x1c, 4), 48);
	assert_int_equal(get(bp, 0x24, 2), 4096);
	assert_memory_equal(bp + 0x26, ((u8[]){8, 16, 8, 8, 8, 0, 8, 24}), 8);
	assert_int_equal(get(bp, 0x36, 4), 2);
	assert_int_equal(get(bp, 0x3a, 4), 4);

	fb.type = FB_INDEXED;
	assert_int_equal(linux_load(NULL, &t.plan, &t.in, &t.map), 0);
	assert_int_equal(bp[0xf], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),          cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_random_headers), cmocka_unit_test(test_random_machines),
		cmocka_unit_test(test_plan_refusals),  cmocka_unit_test(test_many_e820),
		cmocka_unit_test(test_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
