// SPDX-License-Identifier: MIT
/*
 * Changes of page tables: what takes effect by itself, and what each way of invalidation does. SDM:
 * "Caching Translation Information", in it "Invalidation" and "Optional Invalidation".
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define ERROR_I 16u

/* More rights take effect without invalidation, but for one fault. */
static void check_more_rights(void)
{
	bool good = true;

	for (int level = 1; level <= 4; level++) {
		u64 *entry = region_entry(level), value;

		region_reset();
		value = *entry;
		set_entry(entry, value & ~PT_P);
		flush_all();
		good &= faults(KIND_READ, PAGE(0), 0) && faults(KIND_WRITE, PAGE(0), PF_ERROR_W);
		set_entry(entry, value);
		good &= peek(PAGE(0)) == 0;
	}
	ok(good, "an entry of any level that becomes present needs no invalidation");

	good = true;
	for (int level = 1; level <= 4; level++) {
		u64 *entry = region_entry(level), value;

		region_reset();
		value = *entry;
		set_entry(entry, value & ~PT_W);
		flush_all();
		good &= peek(PAGE(1)) == 1;
		good &= level == 1 || faults(KIND_WRITE, PAGE(1), PF_ERROR_P | PF_ERROR_W);
		good &= level > 1 || faults(KIND_WRITE, PAGE(0), PF_ERROR_P | PF_ERROR_W);
		set_entry(entry, value | PT_W);
		good &= soon(KIND_WRITE, PAGE(0)) && soon(KIND_WRITE, PAGE(1));
		good &= *(u8 *)FRAME(0) == MARK;
	}
	ok(good, "an entry that becomes writable needs none");

	good = true;
	for (int level = 1; level <= 4; level++) {
		u64 *entry = region_entry(level), value;

		region_reset();
		*(u8 *)FRAME(0) = MARK;
		value = *entry;
		set_entry(entry, (value & ~PT_U) | PT_NX);
		flush_all();
		good &= peek(PAGE(0)) == MARK;
		good &= faults(KIND_FETCH, PAGE(0), PF_ERROR_P | ERROR_I);
		good &= faults(KIND_USER, PAGE(0), PF_ERROR_P | PF_ERROR_U);
		set_entry(entry, value);
		good &= soon(KIND_FETCH, PAGE(0)) && soon(KIND_USER, PAGE(0));
	}
	ok(good, "nor one that becomes executable, and for CPL 3");
}

/* Less, and other pages, after INVLPG. */
static void check_invlpg(void)
{
	bool good = true;

	for (int level = 1; level <= 4; level++) {
		u64 *entry = region_entry(level), value;

		region_reset();
		value = *entry;
		good &= soon(KIND_WRITE, PAGE(0)) && soon(KIND_USER, PAGE(0));
		set_entry(entry, value & ~PT_W);
		invlpg(PAGE(0));
		good &= faults(KIND_WRITE, PAGE(0), PF_ERROR_P | PF_ERROR_W);
		set_entry(entry, value & ~PT_U);
		invlpg(PAGE(0) + 4095);
		good &= faults(KIND_USER, PAGE(0), PF_ERROR_P | PF_ERROR_U);
		set_entry(entry, value | PT_NX);
		invlpg(PAGE(0));
		good &= faults(KIND_FETCH, PAGE(0), PF_ERROR_P | ERROR_I);
		set_entry(entry, value & ~PT_P);
		invlpg(PAGE(0));
		good &= faults(KIND_READ, PAGE(0), 0);
	}
	ok(good, "INVLPG: fewer rights at any level");

	region_reset();
	good = peek(PAGE(0)) == 0;
	set_entry(region_entry(1), FRAME(5) | ALL);
	invlpg(PAGE(0));
	good &= peek(PAGE(0)) == 5;
	for (int level = 2; level <= 4; level++) {
		u64 *entry = region_entry(level), old;

		region_reset();
		old = *entry;
		good &= peek(PAGE(0)) == 0;
		/* The same tables once more, but for the page. */
		spare[0][0] = FRAME(20 + (u64)level) | ALL;
		spare[1][0] = (u64)spare[0] | ALL;
		spare[2][0] = (u64)spare[1] | ALL;
		set_entry(entry, (u64)spare[level - 2] | ALL);
		invlpg(PAGE(0));
		good &= peek(PAGE(0)) == 20 + level;
		set_entry(entry, old);
		invlpg(PAGE(0));
		good &= peek(PAGE(0)) == 0;
	}
	ok(good, "INVLPG: another page, another table at any level");

	region_reset();
	set_entry(&region[1][1], BIG(0) | ALL | PT_PS);
	good = peek(LARGE(1) + 0x3000) == 128 && peek(LARGE(1) + 0x1ff000) == 128;
	set_entry(&region[1][1], BIG(1) | ALL | PT_PS);
	invlpg(LARGE(1) + 0x12345);
	good &= peek(LARGE(1) + 0x3000) == 129 && peek(LARGE(1) + 0x1ff000) == 129;
	ok(good, "INVLPG of any address in a large page is for all of it");
}

/*
 * INVLPG ends what is cached of tables, not of pages, for all addresses. The entry of a level leads
 * to another table then, in which the page is another one; the old one gets the page, too, and is
 * used at an alias meanwhile, so that it is cached there.
 */
static void check_table_caches(void)
{
	bool good = true;
	struct probe p;

	for (int level = 2; level <= 3; level++) {
		u64 *entry = region_entry(level), old, alias = level == 2 ? MIB(2) : GIB(1);

		region_reset();
		old = *entry;
		set_entry(&entry[1], old);
		set_entry(&region[0][9], 0);
		flush_all();
		good &= peek(PAGE(1)) == 1 && peek(PAGE(1) + alias) == 1;
		spare[0][9] = FRAME(20) | ALL;
		spare[1][0] = (u64)spare[0] | ALL;
		set_entry(entry, (u64)spare[level - 2] | ALL);
		invlpg(PAGE(2) + alias);
		set_entry(&region[0][9], FRAME(9) | ALL);
		good &= peek(PAGE(9) + alias) == 9;
		good &= peek(PAGE(9)) == 20;
	}
	ok(good, "INVLPG of any address: no table is used any more that was replaced before");

	region_reset();
	set_entry(&region[0][1], FRAME(1) | PT_P | PT_U);
	flush_all();
	good = peek(PAGE(1)) == 1;
	set_entry(&region[0][1], 0);
	probe_run(&p, KIND_WRITE, PAGE(1));
	good &= p.vector == PF_VECTOR && faults(KIND_READ, PAGE(1), 0);
	ok(good, "a page fault ends what is cached of its address");
}

/* A large page becomes small ones, and the other way round. */
static void check_sizes(void)
{
	bool good = true;

	region_reset();
	set_entry(&region[1][1], BIG(0) | ALL | PT_PS);
	good &= peek(LARGE(1)) == 128 && peek(LARGE(1) + 0x7000) == 128;
	for (u64 i = 0; i < 512; i++)
		spare[0][i] = (i == 7 ? FRAME(9) : BIG(1) + i * 4096) | ALL;
	set_entry(&region[1][1], (u64)spare[0] | ALL);
	for (u64 i = 0; i < 512; i++)
		invlpg(LARGE(1) + i * 4096);
	good &= peek(LARGE(1)) == 129 && peek(LARGE(1) + 0x7000) == 9 &&
		peek(LARGE(1) + 0x1ff000) == 129;
	ok(good, "a large page becomes small ones");

	set_entry(&region[1][1], BIG(2) | ALL | PT_PS);
	write_cr3(read_cr3());
	good = peek(LARGE(1)) == 130 && peek(LARGE(1) + 0x7000) == 130;
	good &= spare[0][7] == (FRAME(9) | ALL | PT_A) && spare[0][8] == ((BIG(1) + 0x8000) | ALL);
	ok(good, "and small ones a large one; their table has kept its flags");
	if (!sdm_may_be_large(&(struct walk_mode){.levels = 4, .gib_pages = true}, 3) ||
	    !(cpuid(0x80000001, 0).edx & BIT(26)))
		return;
	set_entry(&region[2][1], ALL | PT_PS);
	good = peek(TEST_VA + GIB(1) + FRAME(3)) == 3 && peek(TEST_VA + GIB(1) + BIG(3)) == 131;
	spare[1][FRAME(3) >> 21] = BIG(0) | ALL | PT_PS;
	set_entry(&region[2][1], (u64)spare[1] | ALL);
	invlpg(TEST_VA + GIB(1) + FRAME(3));
	good &= peek(TEST_VA + GIB(1) + FRAME(3)) == 128;
	invlpg(TEST_VA + GIB(1) + BIG(3));
	good &= faults(KIND_READ, TEST_VA + GIB(1) + BIG(3), 0);
	ok(good, "a page of 1 GiB becomes large ones");
}

/* MOV to CR3, and global pages. */
static void check_cr3(void)
{
	u64 cr3 = read_cr3(), low = cr3 | PT_PWT | PT_PCD;
	bool good = true;
	int seen;

	region_reset();
	for (u64 i = 0; i < 64; i++)
		good &= peek(PAGE(i)) == (int)i;
	for (u64 i = 0; i < 64; i++)
		set_entry(&region[0][i], FRAME(63 - i) | ALL);
	write_cr3(cr3);
	for (u64 i = 0; i < 64; i++)
		good &= peek(PAGE(i)) == 63 - (int)i;
	ok(good, "MOV to CR3: all pages that have changed");

	set_cr4(CR4_PGE, true);
	region_reset();
	set_entry(&region[0][1], FRAME(1) | ALL | PT_G);
	set_entry(&region[1][1], BIG(0) | ALL | PT_PS | PT_G);
	good = peek(PAGE(1)) == 1 && peek(LARGE(1)) == 128;
	set_entry(&region[0][1], FRAME(2) | ALL | PT_G);
	set_entry(&region[1][1], BIG(1) | ALL | PT_PS | PT_G);
	write_cr3(cr3);
	seen = peek(PAGE(1));
	good &= seen == 1 || seen == 2;
	seen = peek(LARGE(1));
	good &= seen == 128 || seen == 129;
	invlpg(PAGE(1));
	invlpg(LARGE(1));
	good &= peek(PAGE(1)) == 2 && peek(LARGE(1)) == 129;
	ok(good, "a global page may stay the old one until INVLPG");

	set_entry(&region[0][1], FRAME(3) | ALL | PT_G);
	set_entry(&region[1][1], BIG(2) | ALL | PT_PS | PT_G);
	set_cr4(CR4_PGE, false);
	good = peek(PAGE(1)) == 3 && peek(LARGE(1)) == 130;
	set_entry(&region[0][1], FRAME(4) | ALL | PT_G);
	set_entry(&region[1][1], BIG(3) | ALL | PT_PS | PT_G);
	write_cr3(cr3);
	good &= peek(PAGE(1)) == 4 && peek(LARGE(1)) == 131;
	set_entry(&region[0][1], FRAME(5) | ALL | PT_G);
	set_cr4(CR4_PGE, true);
	good &= peek(PAGE(1)) == 5;
	set_cr4(CR4_PGE, false);
	ok(good, "or a change of CR4.PGE, without which no page is global");

	write_cr3(low);
	good = read_cr3() == low && peek(PAGE(1)) == 5;
	write_cr3(cr3 | GENMASK(11, 5) | GENMASK(2, 0));
	good &= peek(PAGE(1)) == 5;
	write_cr3(cr3);
	ok(good, "the low bits of CR3 change nothing");
	good = true;
	for (unsigned bit = cpuid(0x80000008, 0).eax & 0xff; bit < 64; bit++)
		good &= TRY("mov %0, %%cr3",
			    :
			    : "r"(cr3 | BIT(bit))
			    : "r11", "memory") == GP_VECTOR;
	ok(good && read_cr3() == cr3, "MOV to CR3 of an address that is too wide is #GP");
}

/* Where CR0.WP is clear, code in a page of the supervisor that is not writable writes to its own
 * page: SMEP is for user pages only. SDM: "Determination of Access Rights". */
static void check_own_page(void)
{
	/* MOV to the byte behind it, which becomes INT3 */
	static const u8 code[] = {0xc6, 0x05, 0, 0, 0, 0, MARK, 0x90, MARK};
	bool smep = cpuid(7, 0).ebx & BIT(7), good;

	region_reset();
	memcpy((void *)FRAME(1), code, sizeof(code));
	set_entry(&region[0][1], FRAME(1) | PT_P);
	flush_all();
	set_cr0(CR0_WP, false);
	set_cr4(CR4_SMEP, smep);
	fetches(PAGE(1));
	good = last_peek()->vector == BP_VECTOR && last_peek()->rip == PAGE(1) + 8;
	set_cr4(CR4_SMEP, false);
	set_cr0(CR0_WP, true);
	ok(good, "an instruction may write to its own page then, with CR4.SMEP, too");
}

/* An access sets the flags again that were cleared. */
static void check_flags(void)
{
	bool good = true;

	region_reset();
	good &= soon(KIND_WRITE, PAGE(1));
	for (int level = 1; level <= 4; level++) {
		u64 *entry = level == 1 ? &region[0][1] : region_entry(level);

		good &= (*entry & (PT_A | PT_D)) == (level == 1 ? PT_A | PT_D : PT_A);
		set_entry(entry, *entry & ~(PT_A | PT_D));
		invlpg(PAGE(1));
		good &= peek(PAGE(1)) == MARK && (*entry & (PT_A | PT_D)) == PT_A;
	}
	ok(good, "after INVLPG a read sets the accessed flag again, at any level");
	good = soon(KIND_WRITE, PAGE(1)) && region[0][1] & PT_D;
	set_entry(&region[0][1], region[0][1] & ~PT_D);
	invlpg(PAGE(1));
	good &= peek(PAGE(1)) == MARK && !(region[0][1] & PT_D);
	good &= soon(KIND_WRITE, PAGE(1)) && region[0][1] & PT_D;
	ok(good, "and a write the dirty flag, after a read, too");

	set_entry(&region[1][1], BIG(0) | ALL | PT_PS);
	good = peek(LARGE(1)) == 128 && (region[1][1] & (PT_A | PT_D)) == PT_A;
	good &= soon(KIND_WRITE, LARGE(1) + 0x100000) && region[1][1] & PT_D;
	set_entry(&region[1][1], BIG(0) | ALL | PT_PS);
	write_cr3(read_cr3());
	good &= peek(LARGE(1) + 0x5000) == 128 && (region[1][1] & (PT_A | PT_D)) == PT_A;
	good &= soon(KIND_WRITE, LARGE(1) + 0x5000) && region[1][1] & PT_D;
	ok(good, "of a large page, too, wherever in it");

	region_reset();
	set_cr0(CR0_WP, false);
	set_entry(&region[0][1], FRAME(1) | PT_P);
	flush_all();
	good = peek(PAGE(1)) == 1 && soon(KIND_WRITE, PAGE(1)) && region[0][1] & PT_D;
	good &= faults(KIND_USER | KIND_READ, PAGE(1), PF_ERROR_P | PF_ERROR_U);
	set_entry(&region[0][1], FRAME(1) | PT_P | PT_U);
	invlpg(PAGE(1));
	good &= soon(KIND_WRITE, PAGE(1)) && soon(KIND_USER, PAGE(1)) && region[0][1] & PT_D;
	good &= faults(KIND_USER | KIND_WRITE, PAGE(1), PF_ERROR_P | PF_ERROR_U | PF_ERROR_W);
	good &= soon(KIND_WRITE, PAGE(1));
	set_cr0(CR0_WP, true);
	ok(good, "and where CR0.WP is clear, of pages that CPL 3 cannot write");
}

/* Changes of control registers: at once. */
static void check_registers(void)
{
	struct cpuid_regs seven = cpuid(7, 0);
	bool good = true;

	region_reset();
	set_entry(&region[0][1], FRAME(1) | PT_P | PT_U);
	*(u8 *)FRAME(2) = MARK;
	for (int i = 0; i < 3; i++) {
		set_cr0(CR0_WP, false);
		good &= soon(KIND_WRITE, PAGE(1));
		set_cr0(CR0_WP, true);
		good &= faults(KIND_WRITE, PAGE(1), PF_ERROR_P | PF_ERROR_W);
	}
	ok(good, "CR0.WP takes effect at once");
	good = true;
	for (int i = 0; i < 3 && seven.ebx & BIT(7); i++) {
		set_cr4(CR4_SMEP, false);
		good &= fetches(PAGE(2));
		set_cr4(CR4_SMEP, true);
		good &= faults(KIND_FETCH, PAGE(2), PF_ERROR_P | ERROR_I);
		set_cr4(CR4_SMEP, false);
	}
	ok(good, "and CR4.SMEP");
	good = true;
	for (int i = 0; i < 3 && seven.ebx & BIT(20); i++) {
		set_cr4(CR4_SMAP, false);
		good &= peek(PAGE(3)) == 3;
		set_cr4(CR4_SMAP, true);
		good &= faults(KIND_READ, PAGE(3), PF_ERROR_P);
		good &= soon(KIND_READ | KIND_AC, PAGE(3)) && soon(KIND_USER, PAGE(3));
		set_cr4(CR4_SMAP, false);
	}
	ok(good, "and CR4.SMAP, and RFLAGS.AC");
	good = true;
	set_cr0(CR0_WP, false);
	for (int i = 0; i < 3 && seven.ebx & BIT(20); i++) {
		good &= soon(KIND_WRITE, PAGE(1));
		set_cr4(CR4_SMAP, true);
		good &= faults(KIND_READ, PAGE(1), PF_ERROR_P);
		set_cr4(seven.ebx & BIT(7) ? CR4_SMEP : 0, true);
		good &= soon(KIND_WRITE | KIND_AC, PAGE(1)) && *(u8 *)FRAME(1) == MARK;
		good &= faults(KIND_READ, PAGE(1), PF_ERROR_P);
		good &= soon(KIND_WRITE | KIND_AC, PAGE(1)) && soon(KIND_READ | KIND_AC, PAGE(1));
		good &= faults(KIND_WRITE, PAGE(1), PF_ERROR_P | PF_ERROR_W);
		good &= soon(KIND_WRITE | KIND_AC, PAGE(1)) && soon(KIND_USER, PAGE(1));
		set_cr4(CR4_SMAP | CR4_SMEP, false);
		good &= fetches(PAGE(1));
	}
	/* The first 2 MiB are memory of several kinds, so that shadow tables have small pages. */
	set_entry(&region[1][1], PT_P | PT_U | PT_PS);
	flush_all();
	if (seven.ebx & BIT(20)) {
		set_cr4(CR4_SMAP, true);
		good &= soon(KIND_WRITE | KIND_AC, LARGE(1) + 0xb8000);
		good &= faults(KIND_READ, LARGE(1) + 0xb8000, PF_ERROR_P);
		good &= faults(KIND_READ, LARGE(1) + 0x7000, PF_ERROR_P);
		good &= soon(KIND_READ | KIND_AC, LARGE(1) + 0x7000);
		set_cr4(CR4_SMAP, false);
	}
	set_entry(&region[1][1], 0);
	flush_all();
	set_cr0(CR0_WP, true);
	ok(good, "a write that CR0.WP = 0 allows changes nothing for SMAP and SMEP");
	set_entry(&region[0][2], FRAME(2) | ALL | PT_NX);
	invlpg(PAGE(2));
	good = faults(KIND_FETCH, PAGE(2), PF_ERROR_P | ERROR_I);
	set_nxe(false);
	write_cr3(read_cr3());
	good &= faults(KIND_READ, PAGE(2), PF_ERROR_P | PF_ERROR_RSVD);
	set_nxe(true);
	write_cr3(read_cr3());
	good &= peek(PAGE(2)) == MARK;
	ok(good, "EFER.NXE takes effect with MOV to CR3");
}

void check_stale(void)
{
	set_cr0(CR0_WP, true);
	check_more_rights();
	check_invlpg();
	check_table_caches();
	check_sizes();
	check_cr3();
	check_flags();
	check_own_page();
	check_registers();
	set_cr0(CR0_WP, false);
	pml4[TEST_SLOT] = 0;
	flush_all();
}
