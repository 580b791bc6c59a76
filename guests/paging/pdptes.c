// SPDX-License-Identifier: MIT
/*
 * PAE paging: the CPU uses the PDPTEs that it has loaded, whatever is in memory by now. SDM: "PAE
 * Paging", in it "PDPTE Registers". And pages of 4 MiB.
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"

#define READS 19

extern const u8 pdptes_fault[];
void pdptes_code(void);
void legacy_call(void (*code32)(void));

u64 pdptes_root[8] __aligned(64), pdptes_idt[15];
u32 pdptes_directories[3], pdptes_found[READS];
u32 large_root[1024] __aligned(4096), large_entries[2]; /* 32-bit paging, and its entry 256 */
static u64 directories[3][512] __aligned(4096), low[512] __aligned(4096);

static bool found(unsigned first, unsigned count, u32 value)
{
	for (unsigned i = first; i < first + count; i++)
		if (pdptes_found[i] != value) {
			say("# read %u: %x, not %x\n", i, pdptes_found[i], value);
			return false;
		}
	return true;
}

void check_pdptes(void)
{
	u64 fault = (u64)pdptes_fault;

	region_reset();
	for (u64 i = 0; i < 16; i++)
		low[i] = i << 21 | PT_P | PT_W | PT_PS;
	for (unsigned i = 0; i < 3; i++) {
		directories[i][0] = BIG(i) | PT_P | PT_W | PT_PS;
		pdptes_directories[i] =
			(u32)(u64)directories[i] | PT_P | (i == 2 ? PT_PCD | 0xe00 : 0);
	}
	pdptes_root[0] = pdptes_root[4] = (u64)low | PT_P;
	pdptes_root[1] = pdptes_directories[0];
	pdptes_root[5] = pdptes_directories[1];
	for (u32 i = 0; i < 8; i++)
		large_root[i] = i << 22 | PT_P | PT_W | PT_PS;
	large_entries[0] = (u32)BIG(1) | PT_P | PT_W | PT_PS;
	large_entries[1] = (u32)BIG(3) | PT_P | PT_W | PT_PS;
	large_root[256] = large_entries[0];
	*(u8 *)(BIG(3) + MIB(2)) = 1;
	pdptes_idt[PF_VECTOR] =
		(fault & 0xffff) | 0x20ull << 16 | 0x8e00ull << 32 | fault >> 16 << 48;
	legacy_call(pdptes_code);
	ok(found(0, 3, 128), "a PDPTE that changes in memory changes nothing, nor does INVLPG");
	ok(found(3, 2, 129), "MOV to CR3 loads PDPTEs");
	ok(found(5, 3, ~0u), "and one that was not present stays so");
	ok(found(8, 1, 130) && found(9, 1, 128), "until CR4.PGE or CR4.PSE changes");
	ok(found(10, 1, 129) && found(11, 1, 128), "they lie at any multiple of 32 bytes");
	ok(found(17, 1, 129) && found(18, 1, 128), "a change of CR0.CD loads them, too");
	ok(found(12, 1, 129) && found(13, 1, 130) && found(14, 1, 1) && found(15, 1, 131) &&
		   found(16, 1, 129),
	   "INVLPG of any address in a page of 4 MiB is for all of it");
	pml4[TEST_SLOT] = 0;
	flush_all();
}
