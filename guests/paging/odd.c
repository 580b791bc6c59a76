// SPDX-License-Identifier: MIT
/*
 * Tables in odd places, and odd accesses: a root in itself, a table at two levels, tables and pages
 * outside of RAM, accesses across the end of a page, and the CPU's own to descriptors. SDM:
 * "Paging", "Implicit Supervisor-Mode Accesses".
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define SELF      5ull /* the root's entry that leads to the root */
#define SELF_BASE (SELF << 39)
#define TEXT      0xb8000ull /* the memory of the VGA's text screen */
#define TPR       0x80
#define ERROR_I   16u

/* Where the self map shows the entry of @level of @va. */
static volatile u64 *shown(u64 va, int level)
{
	u64 at = SELF_BASE;

	for (int i = 2; i <= level; i++)
		at |= SELF << (39 - 9 * (i - 1));
	return (volatile u64 *)(at | ((va >> (12 + 9 * (level - 1)) << 3) &
				      (BIT(48 - 9 * level) - 1) & ~7ull));
}

/* A root that has itself as a table: Windows has its tables so. */
static void check_self_map(void)
{
	bool good = true;

	region_reset();
	set_entry(&pml4[SELF], (u64)pml4 | PT_P | PT_W);
	good &= peek(PAGE(3)) == 3;
	for (int level = 1; level <= 4; level++) {
		u64 *entry = level == 1 ? &region[0][3] : region_entry(level);

		good &= *shown(PAGE(3), level) == *entry && *entry & PT_A;
	}
	ok(good, "a root that has itself as a table shows all entries");

	*shown(PAGE(3), 1) = FRAME(7) | ALL;
	invlpg(PAGE(3));
	good = peek(PAGE(3)) == 7 && region[1][0] & PT_D;
	memcpy(spare[0], region[0], sizeof(spare[0]));
	spare[0][3] = FRAME(8) | ALL;
	*shown(PAGE(3), 2) = (u64)spare[0] | ALL;
	invlpg(PAGE(3));
	invlpg((u64)shown(PAGE(3), 1));
	good &= peek(PAGE(3)) == 8 && *shown(PAGE(3), 1) == (FRAME(8) | ALL | PT_A);
	*shown(PAGE(3), 1) = FRAME(9) | ALL;
	invlpg(PAGE(3));
	good &= peek(PAGE(3)) == 9 && region[0][3] == (FRAME(7) | ALL | PT_A);
	*shown(PAGE(3), 4) = 0;
	write_cr3(read_cr3());
	good &= faults(KIND_READ, PAGE(3), 0) && faults(KIND_READ, (u64)shown(PAGE(3), 1), 0);
	*shown(PAGE(3), 4) = (u64)region[2] | ALL;
	good &= peek(PAGE(3)) == 9 && *shown(PAGE(3), 1) == (FRAME(9) | ALL | PT_A);
	ok(good, "and what is written there takes effect");
	good = faults(KIND_USER, (u64)shown(PAGE(3), 1), PF_ERROR_P | PF_ERROR_U);
	ok(good, "but CPL 3 cannot write there");
	set_entry(&pml4[SELF], 0);
	flush_all();
}

static void check_shared_tables(void)
{
	volatile u64 *pd = region[1];
	bool good = true;

	region_reset();
	/* As a table of pages: entry 0 is the real table's page, entry 2 its own. */
	set_entry(&region[1][2], (u64)region[1] | ALL);
	good &= *(volatile u64 *)(LARGE(2) + 8 * 4) == (FRAME(4) | ALL);
	good &= *(volatile u64 *)(LARGE(2) + 0x2000) == pd[0];
	*(volatile u64 *)(LARGE(2) + 8 * 4) = FRAME(6) | ALL;
	good &= pd[0] & PT_D && peek(PAGE(4)) == 6;
	*(volatile u64 *)(LARGE(2) + 0x2000 + 8 * 3) = (u64)region[0] | PT_P | PT_U;
	good &= pd[2] & PT_D && peek(LARGE(3) + 0x4000) == 6;
	good &= pd[3] == ((u64)region[0] | PT_P | PT_U | PT_A);
	ok(good, "a table at two levels");

	good = soon(KIND_WRITE, PAGE(5)) && *(u8 *)FRAME(5) == MARK;
	good &= faults(KIND_WRITE, LARGE(3) + 0x5000, PF_ERROR_P | PF_ERROR_W);
	good &= peek(LARGE(3) + 0x5000) == MARK;
	set_entry(&region[1][3], (u64)region[0] | PT_P | PT_W);
	invlpg(LARGE(3));
	good &= faults(KIND_USER, LARGE(3) + 0x5000, PF_ERROR_P | PF_ERROR_U);
	good &= soon(KIND_USER, PAGE(5)) && soon(KIND_WRITE, LARGE(3) + 0x6000);
	set_entry(&region[0][5], FRAME(12) | ALL);
	invlpg(PAGE(5));
	invlpg(LARGE(3) + 0x5000);
	good &= peek(PAGE(5)) == 12 && peek(LARGE(3) + 0x5000) == 12;
	ok(good, "a table at two addresses, with different rights");
}

/* A page that was a table is data: nothing sets flags in it. */
static void check_freed_table(void)
{
	bool good = true;

	region_reset();
	memcpy(spare[0], region[0], sizeof(spare[0]));
	set_entry(&region[1][1], (u64)spare[0] | ALL);
	for (u64 i = 0; i < 8; i++)
		good &= peek(LARGE(1) + i * 4096) == (int)i;
	set_entry(&region[1][1], 0);
	write_cr3(read_cr3());
	for (u64 i = 0; i < 8; i++)
		spare[0][i] = FRAME(i + 8) | ALL;
	for (u64 i = 0; i < 8; i++)
		good &= faults(KIND_READ, LARGE(1) + i * 4096, 0) &&
			faults(KIND_WRITE, LARGE(1) + i * 4096, PF_ERROR_W);
	for (u64 i = 0; i < 8; i++)
		good &= spare[0][i] == (FRAME(i + 8) | ALL);
	ok(good, "nothing sets flags in a page that was a table");
	set_entry(&region[1][3], (u64)spare[0] | ALL);
	for (u64 i = 0; i < 8; i++)
		good &= peek(LARGE(3) + i * 4096) == (int)i + 8;
	ok(good, "and it may become one again, elsewhere");
}

/* Tables and pages that are no memory: @at is hidden, or does not exist. */
static bool reads_as_ones(u64 at)
{
	bool good = true;

	region_reset();
	set_entry(&region[0][3], at | ALL);
	invlpg(PAGE(3));
	good &= peek(PAGE(3)) == 0xff && soon(KIND_WRITE, PAGE(3)) && peek(PAGE(3)) == 0xff;
	set_entry(&region[1][1], ALIGN_DOWN(at, MIB(2)) | ALL | PT_PS);
	good &= peek(LARGE(1) + at % MIB(2)) == 0xff;
	for (int level = 2; level <= 4; level++) {
		region_reset();
		set_entry(region_entry(level), at | ALL);
		flush_all();
		good &= faults(KIND_READ, PAGE(3), PF_ERROR_P | PF_ERROR_RSVD);
		good &= faults(KIND_WRITE | KIND_USER, PAGE(3),
			       PF_ERROR_P | PF_ERROR_RSVD | PF_ERROR_W | PF_ERROR_U);
		set_entry(region_entry(level), (u64)region[level - 2] | ALL);
		invlpg(PAGE(3));
		good &= peek(PAGE(3)) == 3;
	}
	return good;
}

static void check_not_memory(void)
{
	u64 hidden = hidden_page(0), *apic = &region[0][9];
	u64 *table = (u64 *)TEXT;
	bool good;

	ok(reads_as_ones(NOT_MEMORY), "pages and tables that do not exist are all ones");
	ok(reads_as_ones(hidden ? hidden : NOT_MEMORY), "and those that a hypervisor hides");

	region_reset();
	memcpy(table, region[0], 64 * 8);
	set_entry(&region[1][0], TEXT | ALL);
	flush_all();
	good = peek(PAGE(3)) == 3 && *(volatile u64 *)&table[3] & PT_A;
	good &= soon(KIND_WRITE, PAGE(4)) && *(volatile u64 *)&table[4] & PT_D;
	set_entry(&table[3], FRAME(9) | ALL);
	invlpg(PAGE(3));
	good &= peek(PAGE(3)) == 9;
	ok(good, "a table in the screen's memory");

	region_reset();
	set_entry(apic, 0xfee00000 | PT_P | PT_W | PT_PCD);
	good = *(volatile u32 *)(PAGE(9) + 0x20) == apic_read(0x20);
	*(volatile u32 *)(PAGE(9) + TPR) = 0x20;
	good &= apic_read(TPR) == 0x20;
	apic_write(TPR, 0);
	good &= *(volatile u32 *)(PAGE(9) + TPR) == 0;
	ok(good, "the local APIC at another address");
}

/* Accesses across the end of a page: CR2 is in the page that refuses. */
static void check_crossing(void)
{
	static const u8 code[] = {0x0f, 0x1f, 0x00, 0xcc}; /* NOP (%rax); INT3 */
	u64 edge = PAGE(9) - 4;
	const struct probe *last = last_peek();
	bool good = true;

	region_reset();
	set_entry(&region[0][9], 0);
	flush_all();
	good &= TRY("mov (%0), %%rax", : : "r"(edge) : "r11", "rax", "memory") == PF_VECTOR;
	good &= trap.cr2 == PAGE(9) && trap.error == 0;
	set_entry(&region[0][9], FRAME(9) | PT_P | PT_U);
	good &= TRY("mov (%0), %%rax", : : "r"(edge) : "r11", "rax", "memory") == NO_TRAP;
	good &= TRY("mov %0, (%0)", : : "r"(edge) : "r11", "memory") == PF_VECTOR;
	good &= trap.cr2 == PAGE(9) && trap.error == (PF_ERROR_P | PF_ERROR_W);
	set_entry(&region[0][8], 0);
	invlpg(PAGE(8));
	good &= TRY("mov (%0), %%rax", : : "r"(edge) : "r11", "rax", "memory") == PF_VECTOR;
	good &= trap.cr2 == edge && trap.error == 0;
	ok(good, "data across the end of a page: CR2");

	region_reset();
	set_entry(&region[0][9], FRAME(9) | ALL | PT_NX);
	flush_all();
	memcpy((u8 *)FRAME(9) - 2, code, sizeof(code));
	good = !fetches(PAGE(9) - 2) && last->vector == PF_VECTOR && last->cr2 == PAGE(9);
	good &= last->rip == PAGE(9) - 2 && last->error == (PF_ERROR_P | ERROR_I);
	set_entry(&region[0][9], FRAME(9) | ALL);
	invlpg(PAGE(9));
	fetches(PAGE(9) - 2);
	good &= last->vector == BP_VECTOR && last->rip == PAGE(9) + 2;
	ok(good, "an instruction across it");
}

/* A segment's descriptor, in a page of the region: the CPU reads it, and sets its accessed flag. */
static u64 load_descriptor(bool accessed)
{
	*(volatile u64 *)(FRAME(10) + 8) = accessed ? 0x00cff3000000ffff : 0x00cff2000000ffff;
	probe_load_ldt(PAGE(10));
	return TRY("mov %w0, %%es; mov %w1, %%es", : : "r"(0xf), "r"(0x18) : "r11", "memory");
}

static bool descriptor_is_accessed(void)
{
	return *(volatile u64 *)(FRAME(10) + 8) == 0x00cff3000000ffff;
}

static void check_descriptors(void)
{
	bool good;

	region_reset();
	set_entry(&region[0][10], FRAME(10) | PT_P | PT_W);
	flush_all();
	good = load_descriptor(false) == NO_TRAP && descriptor_is_accessed() &&
	       region[0][10] & PT_D;
	set_entry(&region[0][10], FRAME(10) | PT_P);
	invlpg(PAGE(10));
	good &= load_descriptor(true) == NO_TRAP && !(region[0][10] & PT_D);
	good &= load_descriptor(false) == PF_VECTOR && !descriptor_is_accessed();
	good &= trap.error == (PF_ERROR_P | PF_ERROR_W) && trap.cr2 - (PAGE(10) + 8) < 8;
	set_cr0(CR0_WP, false);
	good &= load_descriptor(false) == NO_TRAP && descriptor_is_accessed() &&
		region[0][10] & PT_D;
	set_cr0(CR0_WP, true);
	set_entry(&region[0][10], 0);
	invlpg(PAGE(10));
	good &= load_descriptor(true) == PF_VECTOR && trap.error == 0 && trap.cr2 == PAGE(10) + 8;
	asm volatile("lldt %w0" : : "r"(0));
	ok(good, "a descriptor in a page without rights");
}

void check_odd(void)
{
	set_cr0(CR0_WP, true);
	check_self_map();
	check_shared_tables();
	check_freed_table();
	check_not_memory();
	check_crossing();
	check_descriptors();
	set_cr0(CR0_WP, false);
	pml4[TEST_SLOT] = 0;
	flush_all();
}
