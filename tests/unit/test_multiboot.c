/* SPDX-License-Identifier: MIT */
/*
 * Multiboot kernels, both versions: the loader loads what the file holds, wherever the boot loader
 * has put file and modules; the kernel's boot information is correct; bad images are refused.
 */
#include "tests/unit/guest_memory.h"

#include "errno.h"
#include "vmm/load/multiboot.h"

#define FILE_MAX 0x9000

static u64 mem(u64 at, unsigned bytes)
{
	assert_true(at + bytes <= MEMORY);
	return get(memory, at, bytes);
}

/* ---- A machine and a kernel ---- */

static struct {
	int version; /* of the multiboot protocol */
	struct memmap map;
	struct multiboot_input in;
	struct multiboot_entry entry;
	struct guest_module modules[3];

	/* The kernel that build() made. */
	u8 file[FILE_MAX];
	u32 size, header;
	struct elf_segment segments[3];
	unsigned nr_segments;
	u32 link_entry;
	bool is_64, has_sections, flat, relocatable;
	u32 sym_offset, sym_size, shoff;
} t;

static const char *const strings[] = {"first mod", "", "third"};

static void fill_random(u8 *p, u64 size, u64 *seed)
{
	for (u64 i = 0; i < size; i++)
		p[i] = (u8)(rand_next(seed) >> 32);
}

static void put_header1(void)
{
	u8 *h = t.file + t.header;
	u32 flags = 3 | (t.flat ? 1u << 16 : 0);
	const struct elf_segment *s = &t.segments[0];

	put(h, 0, 0x1badb002, 4);
	put(h, 4, flags, 4);
	put(h, 8, -(0x1badb002u + flags), 4);
	if (t.flat) {
		put(h, 12, s->paddr + (t.header - s->offset), 4);
		put(h, 16, s->paddr, 4);
		put(h, 20, s->paddr + s->filesz, 4);
		put(h, 24, s->paddr + s->memsz, 4);
		put(h, 28, t.link_entry, 4);
	}
}

/* Append a tag at *@at: type, size, and the @n words at @words. Advances *@at. */
static void put_tag2(u32 *at, u32 type, const u32 *words, u32 n)
{
	put(t.file, *at, type, 4);
	put(t.file, *at + 4, 8 + 4 * n, 4);
	for (u32 i = 0; i < n; i++)
		put(t.file, *at + 8 + 4 * i, words[i], 4);
	*at += (u32)ALIGN_UP(8 + 4 * n, 8);
}

static void put_header2(void)
{
	const struct elf_segment *s = &t.segments[0];
	u32 at = t.header + 16, length;

	put_tag2(&at, 1, (u32[]){4, 6, 3}, 3);
	put_tag2(&at, 6, NULL, 0);
	put_tag2(&at, 1 << 16 | 77, (u32[]){1, 2, 3}, 3); /* unknown, optional */
	if (t.flat) {
		u32 load = (u32)s->paddr;

		put_tag2(&at, 2,
			 (u32[]){load + (t.header - (u32)s->offset), s->offset ? load : ~0u,
				 load + (u32)s->filesz, load + (u32)s->memsz},
			 4);
		put_tag2(&at, 3, (u32[]){t.link_entry}, 1);
	}
	if (t.relocatable)
		put_tag2(&at, 10, (u32[]){MIB(2), MIB(4) - 1, 0x2000, t.is_64 ? 2 : 0}, 4);
	put_tag2(&at, 0, NULL, 0);
	length = at - t.header;
	put(t.file, t.header, 0xe85250d6, 4);
	put(t.file, t.header + 4, 0, 4);
	put(t.file, t.header + 8, length, 4);
	put(t.file, t.header + 12, -(0xe85250d6u + length), 4);
}

static void put_elf(void)
{
	bool w = t.is_64;
	unsigned bytes = w ? 8 : 4;
	u64 shsize = w ? 64 : 40;

	memset(t.file, 0, 0x200);
	memcpy(t.file, "\177ELF", 4);
	put(t.file, 4, w ? 2 : 1, 1);
	put(t.file, 5, 1, 1);
	put(t.file, 18, w ? 62 : 3, 2);
	put(t.file, 24, t.link_entry + (w ? 0xc0000000ull : 0), bytes);
	put(t.file, w ? 32 : 28, w ? 64 : 52, bytes);
	put(t.file, w ? 54 : 42, w ? 56 : 32, 2);
	put(t.file, w ? 56 : 44, t.nr_segments + 1, 2);
	for (unsigned i = 0; i < t.nr_segments; i++) {
		u64 ph = w ? 64 + 56 * i : 52 + 32 * i;
		const struct elf_segment *s = &t.segments[i];

		put(t.file, ph, 1, 4);
		put(t.file, ph + (w ? 8 : 4), s->offset, bytes);
		put(t.file, ph + (w ? 16 : 8), s->paddr + (w ? 0xc0000000ull : 0), bytes);
		put(t.file, ph + (w ? 24 : 12), s->paddr, bytes);
		put(t.file, ph + (w ? 32 : 16), s->filesz, bytes);
		put(t.file, ph + (w ? 40 : 20), s->memsz, bytes);
	}
	if (!t.has_sections)
		return;
	put(t.file, w ? 40 : 32, t.shoff, bytes);
	put(t.file, w ? 58 : 46, shsize, 2);
	put(t.file, w ? 60 : 48, 4, 2);
	put(t.file, w ? 62 : 50, 3, 2);
	memset(t.file + t.shoff, 0, 4 * shsize);
	for (unsigned i = 1; i < 4; i++) {
		u8 *sh = t.file + t.shoff + i * shsize;

		put(sh, 4, i == 2 ? 8 : 1, 4);
		put(sh, w ? 16 : 12, i == 1 ? t.segments[0].paddr : 0, bytes);
		put(sh, w ? 24 : 16, t.sym_offset, bytes);
		put(sh, w ? 32 : 20, i == 2 ? 0x7fffffff : t.sym_size, bytes);
	}
}

/* A random kernel. */
static void build(u64 *seed)
{
	u64 at = MIB(1) + rand_below(seed, 300) * 4096, offset = 0x200;

	fill_random(t.file, sizeof(t.file), seed);
	t.is_64 = rand_below(seed, 2);
	t.flat = rand_below(seed, 3) == 0;
	t.relocatable = t.version == 2 && rand_below(seed, 3) == 0;
	t.has_sections = !t.flat && rand_below(seed, 2);
	t.nr_segments = t.flat ? 1 : 1 + (unsigned)rand_below(seed, 3);
	for (unsigned i = 0; i < t.nr_segments; i++) {
		struct elf_segment *s = &t.segments[i];

		s->offset = t.flat ? rand_below(seed, 2) * 4 : offset;
		s->filesz = t.flat ? FILE_MAX / 2 : rand_below(seed, 0x2400);
		s->paddr = at;
		s->memsz = s->filesz + 1 + rand_below(seed, 0x20000);
		at += s->memsz + rand_below(seed, 0x8000);
		offset += s->filesz;
	}
	t.link_entry = (u32)(t.segments[0].paddr + rand_below(seed, t.segments[0].memsz));
	t.header = (u32)(0x100 + rand_below(seed, 8) * 8);
	t.shoff = 0x7800;
	t.sym_offset = 0x7a00;
	t.sym_size = 1 + (u32)rand_below(seed, 0x1000);
	t.size = FILE_MAX;
	if (!t.flat)
		put_elf();
	if (t.version == 1)
		put_header1();
	else
		put_header2();
}

/* Put the kernel's file into memory at @at, and set the loader's input. */
static void put_kernel(u64 at)
{
	memcpy(memory + at, t.file, t.size);
	t.in = (struct multiboot_input){
		.kernel = {at, t.size, "one two"}, .modules = t.modules, .map = &t.map};
}

static bool random_machine(u64 *seed)
{
	struct mem_range r[6] = {{0, 0x9f000, MEM_RAM}, {MIB(1), MEMORY - MIB(1), MEM_RAM}};
	struct mem_range placed[4];
	unsigned nr = 2, nr_placed = 0;

	for (u64 k = rand_below(seed, 3); k; k--, nr++)
		r[nr] = (struct mem_range){rand_below(seed, MEMORY), rand_below(seed, 100000),
					   (u32)(2 + rand_below(seed, 3))};
	assert_int_equal(memmap_init(&t.map, r, nr), 0);
	for (u64 *p = (u64 *)memory, x = rand_next(seed); p < (u64 *)(memory + MEMORY); p++)
		*p = x += 0x9e3779b97f4a7c15ull;
	build(seed);
	if (!place(&t.map, placed, &nr_placed, t.size, 16, seed))
		return false;
	put_kernel(placed[0].base);
	for (u64 k = rand_below(seed, 4); k; k--) {
		u64 size = rand_below(seed, 8) ? 1 + rand_below(seed, 300000) : 0;
		u64 align = rand_below(seed, 2) ? PAGE_SIZE : 16;

		if (!size)
			placed[nr_placed++] = (struct mem_range){0x5000, 0, 0};
		else if (!place(&t.map, placed, &nr_placed, size, align, seed))
			return false;
		t.modules[t.in.nr_modules] = (struct guest_module){placed[nr_placed - 1].base, size,
								   strings[t.in.nr_modules]};
		t.in.nr_modules++;
	}
	memcpy(before, memory, MEMORY);
	return true;
}

static int load(void)
{
	log_clear();
	return t.version == 1 ? multiboot1_load(&t.in, &t.entry) : multiboot2_load(&t.in, &t.entry);
}

/* ---- Checks of what the kernel is given ---- */

/* What the boot information of either version says. */
static struct {
	u64 cmdline, loader, mods[3], mod_ends[3], mod_strings[3], mmap, load_base;
	u64 sections, framebuffer, rsdp_old, rsdp_new, lower, upper;
	unsigned nr_mods, mmap_entry, mmap_skip, nr_mmap, nr_sections;
	u64 start, end;
} info;

static void read_info1(u64 at)
{
	u64 flags = mem(at, 4);

	assert_int_equal(flags & ~0x20ull, 0x124d);
	info.lower = mem(at + 4, 4);
	info.upper = mem(at + 8, 4);
	info.cmdline = mem(at + 16, 4);
	info.nr_mods = (unsigned)mem(at + 20, 4);
	for (unsigned i = 0; i < info.nr_mods; i++) {
		u64 m = mem(at + 24, 4) + 16 * i;

		info.mods[i] = mem(m, 4);
		info.mod_ends[i] = mem(m + 4, 4);
		info.mod_strings[i] = mem(m + 8, 4);
	}
	if (flags & 0x20) {
		info.nr_sections = (unsigned)mem(at + 28, 4);
		assert_int_equal(mem(at + 32, 4), t.is_64 ? 64 : 40);
		info.sections = mem(at + 36, 4);
		assert_int_equal(mem(at + 40, 4), 3);
	}
	info.nr_mmap = (unsigned)mem(at + 44, 4) / 24;
	info.mmap = mem(at + 48, 4) + 4;
	assert_int_equal(mem(info.mmap - 4, 4), 20);
	info.loader = mem(at + 64, 4);
	info.framebuffer = at + 88;
}

static void read_tag2(u64 at, u64 type, u64 size)
{
	switch (type) {
	case 1:
		info.cmdline = at + 8;
		break;
	case 2:
		info.loader = at + 8;
		break;
	case 3:
		info.mods[info.nr_mods] = mem(at + 8, 4);
		info.mod_ends[info.nr_mods] = mem(at + 12, 4);
		info.mod_strings[info.nr_mods++] = at + 16;
		break;
	case 4:
		info.lower = mem(at + 8, 4);
		info.upper = mem(at + 12, 4);
		break;
	case 6:
		assert_int_equal(mem(at + 8, 8), 24);
		info.nr_mmap = (unsigned)(size - 16) / 24;
		info.mmap = at + 16;
		break;
	case 8:
		info.framebuffer = at + 8;
		break;
	case 9:
		info.nr_sections = (unsigned)mem(at + 8, 4);
		assert_int_equal(mem(at + 12, 4), t.is_64 ? 64 : 40);
		assert_int_equal(mem(at + 16, 4), 3);
		info.sections = at + 20;
		break;
	case 14:
		info.rsdp_old = at + 8;
		break;
	case 15:
		info.rsdp_new = at + 8;
		break;
	case 21:
		info.load_base = mem(at + 8, 4);
		break;
	default:
		fail_msg("unknown tag %u", (unsigned)type);
	}
}

static void read_info2(u64 at)
{
	u64 end = at + mem(at, 4);

	assert_true(IS_ALIGNED(at, 8));
	for (at += 8; mem(at, 4); at = ALIGN_UP(at + mem(at + 4, 4), 8)) {
		assert_true(mem(at + 4, 4) >= 8 && at < end);
		read_tag2(at, mem(at, 4), mem(at + 4, 4));
	}
	assert_int_equal(mem(at + 4, 4), 8);
	assert_int_equal(at + 8, end);
}

static void read_info(void)
{
	memset(&info, 0, sizeof(info));
	assert_int_equal(t.entry.eax, t.version == 1 ? 0x2badb002 : 0x36d76289);
	if (t.version == 1)
		read_info1(t.entry.ebx);
	else
		read_info2(t.entry.ebx);
	assert_int_equal(mem(t.entry.gdt + 0x10, 8), 0x00cf9b000000ffff);
	assert_int_equal(mem(t.entry.gdt + 0x18, 8), 0x00cf93000000ffff);
}

static void check_kernel(void)
{
	u64 moved = info.load_base ? info.load_base - t.segments[0].paddr : 0;

	assert_int_equal(!!info.load_base, t.relocatable);
	assert_true(IS_ALIGNED(info.load_base, 0x2000));
	assert_true(!info.load_base || info.load_base >= MIB(2));
	assert_int_equal(t.entry.eip, t.link_entry + moved);
	for (unsigned i = 0; i < t.nr_segments; i++) {
		const struct elf_segment *s = &t.segments[i];
		u8 *p = memory + s->paddr + moved;

		assert_memory_equal(p, t.file + s->offset, s->filesz);
		for (u64 k = s->filesz; k < s->memsz; k++)
			assert_int_equal(p[k], 0);
	}
}

static void check_modules(void)
{
	assert_int_equal(info.nr_mods, t.in.nr_modules);
	for (unsigned i = 0; i < info.nr_mods; i++) {
		const struct guest_module *m = &t.modules[i];

		assert_true(IS_ALIGNED(info.mods[i], PAGE_SIZE));
		assert_int_equal(info.mod_ends[i] - info.mods[i], m->size);
		assert_memory_equal(memory + info.mods[i], before + m->start, m->size);
		assert_string_equal((char *)memory + info.mod_strings[i], m->string);
	}
}

static void check_sections(void)
{
	u64 size = t.is_64 ? 64 : 40;

	assert_int_equal(info.nr_sections, t.has_sections ? 4 : 0);
	if (!t.has_sections)
		return;
	for (unsigned i = 0; i < 4; i++) {
		u64 sh = info.sections + i * size, field = sh + (t.is_64 ? 16 : 12);
		u64 addr = mem(field, t.is_64 ? 8 : 4);

		if (i == 3)
			assert_memory_equal(memory + addr, t.file + t.sym_offset, t.sym_size);
		else
			assert_int_equal(addr, i == 1 ? t.segments[0].paddr : 0);
	}
}

static void check_memory(void)
{
	u64 entry = 24, pos = info.mmap;

	assert_int_equal(info.nr_mmap, t.map.nr);
	for (unsigned i = 0; i < t.map.nr; i++, pos += entry) {
		const struct mem_range *r = &t.map.r[i];

		assert_int_equal(mem(pos, 8), r->base);
		assert_int_equal(mem(pos + 8, 8), r->size);
		assert_int_equal(mem(pos + 16, 4), r->type);
		if (r->type != MEM_RAM && r->base < MEMORY)
			assert_memory_equal(memory + r->base, before + r->base,
					    MIN(r->size, MEMORY - r->base));
		if (r->type == MEM_RAM && r->base == 0)
			assert_int_equal(info.lower, MIN(r->size, KIB(640)) >> 10);
		if (r->type == MEM_RAM && r->base == MIB(1))
			assert_int_equal(info.upper, r->size >> 10);
	}
	assert_memory_equal(memory, before, KIB(64) - 1); /* the BIOS's */
}

static void test_random_machines(void **state)
{
	unsigned loaded = 0, kinds = 0, overlaps = 0;
	u64 seed = 21;

	(void)state;
	while (loaded < 1200) {
		int r;

		t.version = 1 + (int)rand_below(&seed, 2);
		if (!random_machine(&seed))
			continue;
		r = load();
		if (r) {
			assert_int_equal(r, -ENOSPC);
			assert_true(log_has("not free RAM") || log_has("of free memory for the"));
			continue;
		}
		read_info();
		check_kernel();
		check_modules();
		check_sections();
		check_memory();
		assert_string_equal((char *)memory + info.cmdline, "one two");
		assert_string_equal((char *)memory + info.loader, "Glasshouse");
		loaded++;
		kinds |= 1u << (t.version * 4 + t.flat * 2 + t.is_64);
		for (unsigned i = 0; i < t.in.nr_modules && !t.relocatable; i++)
			overlaps += ranges_overlap(t.modules[i].start, t.modules[i].size,
						   t.segments[0].paddr, t.segments[0].memsz);
		if (!t.relocatable)
			overlaps += ranges_overlap(t.in.kernel.start, t.size, t.segments[0].paddr,
						   t.segments[0].memsz);
	}
	/* Each kind of case did occur. */
	assert_int_equal(kinds, 0xff0);
	assert_true(overlaps > 50);
}

/* ---- Single cases ---- */

/* A plain kernel of @version at 3 MiB, all RAM free. */
static void simple(int version, bool flat)
{
	const struct mem_range ram = {0, MEMORY, MEM_RAM};

	memset(&t, 0, sizeof(t));
	t.version = version;
	t.flat = flat;
	t.header = 0x100;
	t.size = 0x4000;
	t.nr_segments = 1;
	t.segments[0] = (struct elf_segment){0, 0x3000, MIB(1), 0x5000};
	t.link_entry = MIB(1) + 0x200;
	assert_int_equal(memmap_init(&t.map, &ram, 1), 0);
	if (!flat)
		put_elf();
	if (version == 1)
		put_header1();
	else
		put_header2();
	put_kernel(MIB(3));
}

static void expect_refusal(int error, const char *words)
{
	memcpy(memory + t.in.kernel.start, t.file, t.size);
	assert_int_equal(load(), error);
	if (!log_has(words))
		fail_msg("wanted \"%s\", got: %s", words, log_text());
	assert_true(log_has("module multiboot"));
}

/* One wrong word in the file of an otherwise correct kernel. */
struct refusal {
	bool flat;
	u32 at, value;
	const char *words;
};

static void check_refusals(int version, const struct refusal *bad, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		simple(version, bad[i].flat);
		assert_int_equal(load(), 0);
		put(t.file, bad[i].at, bad[i].value, 4);
		expect_refusal(strstr(bad[i].words, "RAM") ? -ENOSPC : -ENOEXEC, bad[i].words);
	}
}

static void test_refusals1(void **state)
{
	static const struct refusal bad[] = {
		{false, 0x100, 0, "magic is 0x464c457f: no multiboot header"},
		{false, 0, 0, "e_ident is 0: this is no ELF file"},
		{false, 4, 0x010103, "EI_CLASS is 0x3"},
		{false, 4, 0x010201, "EI_DATA is 0x2"},
		{false, 16, 0xb70000, "e_machine is 0xb7"},
		{false, 28, 0x3ffffff0, "e_phoff is 0x3ffffff0"},
		{false, 44, 0xfff0, "e_phoff is 0x34"},
		{false, 44, 0, "e_phnum is 0"},
		{false, 52 + 4, 0x3001, "p_filesz is 0x3000: the segment is not in the file"},
		{false, 52 + 16, 0x5001, "p_filesz is 0x5001"},
		{false, 52 + 12, 0xfffffff0, "p_paddr is 0xfffffff0"},
		{true, 0x100 + 12, MIB(1) - 4, "load_addr is 0x100000"},
		{true, 0x100 + 12, MIB(1) + 0x104, "load_addr is 0x100000"},
		{true, 0x100 + 20, MIB(1) + 0x4001, "load_end_addr is 0x104001"},
		{true, 0x100 + 20, MIB(1) - 1, "load_end_addr is 0xfffff"},
		{true, 0x100 + 24, MIB(1) + 0x2fff, "bss_end_addr is 0x102fff"},
		{true, 0x100 + 24, UINT32_MAX, "is not free RAM"},
	};

	(void)state;
	check_refusals(1, bad, ARRAY_SIZE(bad));
	simple(1, false);
	put(t.file, 0x104, 0x8003, 4);
	put(t.file, 0x108, -(0x1badb002u + 0x8003), 4);
	expect_refusal(-ENOEXEC, "flags is 0x8003");
	/* Unknown flags above bit 16 are no requirements: they are ignored. */
	put(t.file, 0x104, 0xfffe0003, 4);
	put(t.file, 0x108, -(0x1badb002u + 0xfffe0003), 4);
	put_kernel(MIB(3));
	assert_int_equal(load(), 0);
}

static void test_refusals2(void **state)
{
	static const struct refusal bad[] = {
		{false, 0x100, 0, "magic is 0x464c457f: no multiboot2 header"},
		{false, 0x110 + 8, 13, "mbi_tag_types is 0xd"},
		{false, 0x110 + 12, 0x80000001, "mbi_tag_types is 0x80000001"},
		{false, 0x110 + 4, 7, "header tag's size is 0x7"},
		{false, 0x110 + 4, 0x10000, "header tag's size is 0x10000"},
		{false, 0x110 + 24, 78, "header tag is 0x4e: unknown"},
		{true, 0x14c, 12, "header tag's size is 0xc"},
		{true, 0x160, 0x10000 | 99, "header tag is 0x2: an address tag needs"},
		{true, 0x148 + 8, 0x80, "load_addr is 0xffffffff"},
		{true, 0x148 + 16, MIB(1) + 0x9000, "load_end_addr is 0x109000"},
	};

	(void)state;
	check_refusals(2, bad, ARRAY_SIZE(bad));
	/* The same request, but optional, is ignored. */
	simple(2, false);
	put(t.file, 0x110 + 8, 13, 4);
	put(t.file, 0x110, 1 << 16 | 1, 4);
	put_kernel(MIB(3));
	assert_int_equal(load(), 0);
	simple(2, false);
	put(t.file, 0x104, 4, 4);
	put(t.file, 0x10c, get(t.file, 0x10c, 4) - 4, 4);
	expect_refusal(-ENOEXEC, "architecture is 0x4");
	simple(2, false);
	t.relocatable = true;
	put_header2();
	put(t.file, 0x148 + 16, 0x3000, 4);
	expect_refusal(-ENOEXEC, "align is 0x3000");
	put(t.file, 0x148 + 16, 0x1000, 4);
	put(t.file, 0x148 + 12, MIB(2), 4);
	expect_refusal(-ENOSPC, "between min_addr 0x200000 and max_addr 0x200000");
}

static void test_input(void **state)
{
	static struct guest_module many[MULTIBOOT_MODULES + 1];

	(void)state;
	for (int version = 1; version <= 2; version++) {
		simple(version, false);
		t.in.kernel.size = 0;
		assert_int_equal(load(), -EFAULT);
		assert_true(log_has("the file is empty"));
		simple(version, false);
		t.in.kernel.start = MEMORY - 1;
		assert_int_equal(load(), -EFAULT);
		assert_true(log_has("not in memory"));
		simple(version, false);
		t.in.modules = many;
		t.in.nr_modules = ARRAY_SIZE(many);
		for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
			many[i] = (struct guest_module){MIB(2) + i * PAGE_SIZE, 1, ""};
		assert_int_equal(load(), -E2BIG);
		assert_true(log_has("129 modules"));
		t.in.nr_modules--;
		assert_int_equal(load(), 0);
		/* No room for a module. */
		t.in.nr_modules = 1;
		many[0].start = MIB(1);
		many[0].size = MIB(3) - 0x10000;
		assert_int_equal(load(), -ENOSPC);
	}
}

static void test_screen_and_rsdp(void **state)
{
	const struct framebuffer fb = {0xfd000000, 4096,    1024,   768,   32,
				       FB_RGB,     {16, 8}, {8, 7}, {0, 6}};

	(void)state;
	for (int version = 1; version <= 2; version++) {
		u64 color = version == 1 ? 22 : 24;

		simple(version, false);
		assert_int_equal(load(), 0);
		read_info();
		assert_int_equal(mem(info.framebuffer, 8), 0xb8000);
		assert_int_equal(mem(info.framebuffer + 8, 8), 80ull << 32 | 160);
		assert_int_equal(mem(info.framebuffer + 16, 4), 25);
		assert_int_equal(mem(info.framebuffer + 20, 2), 2 << 8 | 16);
		t.in.fb = &fb;
		t.in.rsdp = 0xe0000;
		memory[0xe0000 + 15] = 0;
		assert_int_equal(load(), 0);
		read_info();
		assert_int_equal(mem(info.framebuffer, 8), 0xfd000000);
		assert_int_equal(mem(info.framebuffer + 20, 2), 1 << 8 | 32);
		assert_int_equal(mem(info.framebuffer + color, 6), 0x060007080810);
	}
	assert_int_equal(info.rsdp_new, 0);
	assert_memory_equal(memory + info.rsdp_old, memory + 0xe0000, 20);
	memory[0xe0000 + 15] = 2;
	assert_int_equal(load(), 0);
	read_info();
	assert_memory_equal(memory + info.rsdp_new, memory + 0xe0000, 36);
	assert_memory_equal(memory + info.rsdp_old, memory + 0xe0000, 20);
}

/* Random bytes: no read beyond the file, which ends at the end of memory. */
static void test_hostile(void **state)
{
	u64 seed = 22;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		simple(1 + (int)rand_below(&seed, 2), rand_below(&seed, 2));
		t.is_64 = rand_below(&seed, 2);
		t.has_sections = true;
		t.shoff = 0x3000;
		t.sym_offset = 0x3200;
		t.sym_size = 100;
		if (!t.flat)
			put_elf();
		for (u64 k = rand_below(&seed, 6); k; k--) {
			u64 at = rand_below(&seed, 3) ? rand_below(&seed, 0x180)
						      : 0x3000 + rand_below(&seed, 0x100);

			put(t.file, at, rand_next(&seed) >> rand_below(&seed, 64),
			    1 + (unsigned)rand_below(&seed, 8));
		}
		t.size = rand_below(&seed, 3) ? t.size : (u32)(1 + rand_below(&seed, 0x3fff));
		put_kernel(MEMORY - t.size);
		load();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_machines), cmocka_unit_test(test_refusals1),
		cmocka_unit_test(test_refusals2),       cmocka_unit_test(test_input),
		cmocka_unit_test(test_screen_and_rsdp), cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
