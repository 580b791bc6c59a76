// SPDX-License-Identifier: MIT
/*
 * Process-context identifiers: two roots, three identifiers, and the four types of INVPCID. SDM:
 * "Process-Context Identifiers (PCIDs)", "INVPCID—Invalidate Process-Context Identifier".
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define NO_FLUSH BIT(63)

/* Another entry of the 64-bit root, for the same tables. */
#define OTHER_SLOT    6
#define OTHER_PAGE(i) (PAGE(i) + ((u64)(OTHER_SLOT - TEST_SLOT) << 39))
#define NEW_SLOT      7ull /* and the next two */

enum invpcid { ONE_ADDRESS, ONE_CONTEXT, ALL_AND_GLOBAL, ALL_CONTEXTS };

static u64 second_root[512] __aligned(4096);
static u64 other_pt[512] __aligned(4096), other_pd[512] __aligned(4096),
	other_pdp[512] __aligned(4096);

/* A second root, whose page i is FRAME(32 + i). */
static void make_second_root(void)
{
	memcpy(second_root, pml4, sizeof(second_root));
	for (u64 i = 0; i < 32; i++)
		other_pt[i] = FRAME(32 + i) | ALL;
	other_pd[0] = (u64)other_pt | ALL;
	other_pdp[0] = (u64)other_pd | ALL;
	second_root[TEST_SLOT] = (u64)other_pdp | ALL;
}

/* Execute INVPCID. Returns the exception's vector, or NO_TRAP. */
static u64 invpcid(u64 type, u64 pcid, u64 address)
{
	u64 descriptor[2] = {pcid, address};

	return TRY("invpcid %0, %1", : : "m"(descriptor), "r"(type) : "r11", "memory");
}

static u64 load_cr3(u64 value)
{
	return TRY("mov %0, %%cr3", : : "r"(value) : "r11", "memory");
}

static void check_off(u64 root)
{
	bool good = load_cr3(root | NO_FLUSH) == GP_VECTOR;

	write_cr3(root | 1);
	good &= TRY("mov %0, %%cr4",
		    :
		    : "r"(read_cr4() | CR4_PCIDE)
		    : "r11", "memory") == GP_VECTOR;
	write_cr3(root);
	ok(good, "without CR4.PCIDE, bit 63 of CR3 is #GP; and CR4.PCIDE, where CR3 has a PCID");
}

static void check_switches(u64 first, u64 second)
{
	bool good = true;

	for (u64 i = 0; i < 8; i++) {
		write_cr3(first | 1 | (i ? NO_FLUSH : 0));
		good &= read_cr3() == (first | 1) && peek(PAGE(i)) == (int)i;
		write_cr3(second | 2 | (i ? NO_FLUSH : 0));
		good &= read_cr3() == (second | 2) && peek(PAGE(i)) == 32 + (int)i;
	}
	ok(good, "each of two PCIDs has its own root's pages, kept or not");

	good = true;
	for (u64 i = 0; i < 8; i++) {
		set_entry(&region[0][i], FRAME(20 + i) | ALL);
		set_entry(&other_pt[i], FRAME(52 + i) | ALL);
	}
	write_cr3(first | 1);
	for (u64 i = 0; i < 8; i++)
		good &= peek(PAGE(i)) == 20 + (int)i;
	write_cr3(second | 2);
	for (u64 i = 0; i < 8; i++)
		good &= peek(PAGE(i)) == 52 + (int)i;
	ok(good, "MOV to CR3 without bit 63 forgets the PCID's old pages");

	write_cr3(first | 2);
	good = peek(PAGE(1)) == 21;
	write_cr3(second | 1);
	good &= peek(PAGE(1)) == 53;
	write_cr3(first | 3);
	good &= peek(PAGE(1)) == 21;
	write_cr3(first | 1);
	good &= peek(PAGE(1)) == 21;
	ok(good, "a PCID gets another root, a root another PCID");

	write_cr3(first | 1);
	good = peek(PAGE(2)) == 22;
	set_entry(&region[0][2], FRAME(2) | ALL);
	write_cr3(second | 1);
	good &= peek(PAGE(2)) == 54;
	write_cr3(first | 1 | NO_FLUSH);
	good &= peek(PAGE(2)) == 2;
	ok(good, "and forgets then what it had of its old root");

	/* At an address that no global page has had. */
	pml4[OTHER_SLOT] = pml4[TEST_SLOT];
	write_cr3(first | 1);
	good = peek(OTHER_PAGE(6)) == 26;
	write_cr3(second | 1 | NO_FLUSH);
	set_entry(&region[0][6], FRAME(6) | ALL);
	invlpg(OTHER_PAGE(6));
	write_cr3(first | 1 | NO_FLUSH);
	good &= peek(OTHER_PAGE(6)) == 6;
	pml4[OTHER_SLOT] = 0;
	flush_all();
	ok(good, "INVLPG is for a PCID, whatever its root");
}

/* Change a page that two PCIDs have used, and invalidate it for one of them, from the other. */
static bool after(enum invpcid type, u64 root, unsigned global)
{
	u64 flags = ALL | (global ? PT_G : 0);
	bool good = true;
	int seen;

	set_entry(&region[0][3], FRAME(3) | flags);
	set_cr4(CR4_PGE, !(read_cr4() & CR4_PGE));
	set_cr4(CR4_PGE, true);
	write_cr3(root | 1);
	good &= peek(PAGE(3)) == 3;
	write_cr3(root | 2);
	good &= peek(PAGE(3)) == 3;
	set_entry(&region[0][3], FRAME(4) | flags);
	good &= invpcid(type, 1, PAGE(3)) == NO_TRAP;
	seen = peek(PAGE(3));
	good &= type >= ALL_AND_GLOBAL && !global ? seen == 4 : seen == 3 || seen == 4;
	write_cr3(root | 1 | NO_FLUSH);
	seen = peek(PAGE(3));
	good &= global && type != ALL_AND_GLOBAL ? seen == 3 || seen == 4 : seen == 4;
	invlpg(PAGE(3));
	good &= peek(PAGE(3)) == 4;
	return good;
}

/* INVLPG of a global page, at an address where its table has been used for another one before; from
 * another root, which has not used it. */
static void check_global(u64 first, u64 second)
{
	bool good;

	region_reset();
	pml4[OTHER_SLOT] = second_root[OTHER_SLOT] = pml4[TEST_SLOT];
	set_entry(&region[0][3], FRAME(3) | ALL | PT_G);
	set_cr4(CR4_PGE, true);
	write_cr3(first | 1);
	good = peek(PAGE(3)) == 3 && peek(OTHER_PAGE(3)) == 3;
	write_cr3(second | 2);
	set_entry(&region[0][3], FRAME(4) | ALL | PT_G);
	invlpg(OTHER_PAGE(3));
	write_cr3(first | 1 | NO_FLUSH);
	good &= peek(OTHER_PAGE(3)) == 4;
	pml4[OTHER_SLOT] = second_root[OTHER_SLOT] = 0;
	set_cr4(CR4_PGE, false);
	flush_all();
	ok(good, "INVLPG of a global page is for all PCIDs, whatever their roots");
}

/* The same, in tables and at addresses that have not been used before: two entries of the root lead
 * to a table, in which a page becomes global after that. */
static void check_two_addresses(u64 first, u64 second)
{
	static u64 new_pt[512] __aligned(4096), new_pd[512] __aligned(4096),
		new_pdp[512] __aligned(4096);
	u64 address = NEW_SLOT << 39, other = (NEW_SLOT + 1) << 39;
	bool good;

	new_pt[3] = FRAME(3) | ALL;
	new_pd[0] = (u64)new_pt | ALL;
	new_pdp[0] = (u64)new_pd | ALL;
	pml4[NEW_SLOT] = pml4[NEW_SLOT + 1] = (u64)new_pdp | ALL;
	second_root[NEW_SLOT] = second_root[NEW_SLOT + 1] = (u64)new_pdp | ALL;
	set_cr4(CR4_PGE, true);
	write_cr3(first | 1);
	good = peek(address + 0x3000) == 3 && peek(other + 0x3000) == 3;
	set_entry(&new_pt[5], FRAME(5) | ALL | PT_G);
	good &= peek(other + 0x5000) == 5 && peek(address + 0x5000) == 5;
	write_cr3(second | 2);
	set_entry(&new_pt[5], FRAME(6) | ALL | PT_G);
	invlpg(address + 0x5000);
	write_cr3(first | 1 | NO_FLUSH);
	good &= peek(address + 0x5000) == 6;
	pml4[NEW_SLOT] = pml4[NEW_SLOT + 1] = 0;
	second_root[NEW_SLOT] = second_root[NEW_SLOT + 1] = 0;
	set_cr4(CR4_PGE, false);
	flush_all();
	ok(good, "also where its table is used at two addresses");
}

/* A large global page. Its memory is of several kinds, so that shadow tables have small pages. */
static void check_large_global(u64 first, u64 second)
{
	static u64 new_pd[512] __aligned(4096), new_pdp[512] __aligned(4096);
	u64 address = ((NEW_SLOT + 2) << 39) + 0x7000;
	u8 low = *(volatile u8 *)0x7000;
	bool good;

	new_pd[0] = ALL | PT_PS | PT_G;
	new_pdp[0] = (u64)new_pd | ALL;
	pml4[NEW_SLOT + 2] = second_root[NEW_SLOT + 2] = (u64)new_pdp | ALL;
	set_cr4(CR4_PGE, true);
	write_cr3(first | 1);
	good = peek(address) == low;
	write_cr3(second | 2);
	set_entry(&new_pd[0], BIG(0) | ALL | PT_PS | PT_G);
	invlpg(address);
	write_cr3(first | 1 | NO_FLUSH);
	good &= peek(address) == 128;
	pml4[NEW_SLOT + 2] = second_root[NEW_SLOT + 2] = 0;
	set_cr4(CR4_PGE, false);
	flush_all();
	ok(good, "or is of a large page");
}

static void check_invpcid(u64 root)
{
	static const char *const names[] = {"of one address", "of one PCID",
					    "of all, global ones, too", "of all but global ones"};
	bool good;

	for (unsigned type = 0; type < 4; type++)
		ok(after(type, root, 0) && after(type, root, 1), "INVPCID %s", names[type]);
	good = invpcid(4, 0, 0) == GP_VECTOR && invpcid(~0ull, 0, 0) == GP_VECTOR;
	for (unsigned bit = 12; bit < 64; bit++)
		good &= invpcid(ONE_CONTEXT, BIT(bit), 0) == GP_VECTOR;
	good &= invpcid(ONE_ADDRESS, 0, BIT(47)) == GP_VECTOR;
	good &= invpcid(ONE_CONTEXT, 0, BIT(47)) == NO_TRAP;
	set_entry(&region[0][5], 0);
	flush_all();
	good &= TRY("invpcid (%0), %1",
		    :
		    : "r"(PAGE(5)), "r"(2ull)
		    : "r11", "memory") == PF_VECTOR &&
		trap.cr2 == PAGE(5) && trap.error == 0;
	ok(good, "INVPCID: wrong types and descriptors are #GP, one that is not mapped #PF");
}

void check_pcid(void)
{
	u64 root = (u64)pml4, cr4 = read_cr4();
	bool good;

	if (!(cpuid(1, 0).ecx & BIT(17))) {
		ok(true, "this CPU has no PCIDs");
		return;
	}
	region_reset();
	make_second_root();
	check_off(root);
	set_cr4(CR4_PCIDE, true);
	check_switches(root, (u64)second_root);
	check_global(root, (u64)second_root);
	check_two_addresses(root, (u64)second_root);
	check_large_global(root, (u64)second_root);
	if (cpuid(7, 0).ebx & BIT(10))
		check_invpcid(root);
	region_reset();
	write_cr3(root | 1);
	good = peek(PAGE(1)) == 1;
	write_cr3(root);
	set_entry(&region[0][1], FRAME(2) | ALL);
	set_cr4(CR4_PCIDE, false);
	good &= peek(PAGE(1)) == 2;
	set_cr4(CR4_PCIDE, true);
	write_cr3(root | 1 | NO_FLUSH);
	good &= peek(PAGE(1)) == 2;
	write_cr3(root);
	write_cr4(cr4);
	ok(good, "CR4.PCIDE, when it is cleared, forgets all");
	pml4[TEST_SLOT] = 0;
	flush_all();
}
