// SPDX-License-Identifier: MIT
/*
 * Mode switches. SDM: "Mode Switching", "PAE Paging", "MOV—Move to/from Control Registers".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"

extern u64 legacy_gdt[32], idt32[64], pdpt[512];
extern const u8 on_gp[], real_mode[];
void run_modes(void);
void legacy_call(void (*code32)(void));

u64 pae_pdpt[4] __aligned(32);
u32 found[6];
u64 refused_cr0, refused_cr3; /* PDPTE bits that are #GP at MOV to CR0, CR3 */

void check_modes(void)
{
	u64 gp = (u64)on_gp, real = (u64)real_mode;
	u64 reserved = GENMASK(2, 1) | GENMASK(8, 5) | GENMASK(63, cpuid(0x80000008, 0).eax & 0xff);

	for (unsigned i = 0; i < 4; i++)
		pae_pdpt[i] = (pdpt[i == 1 ? 0 : i] & ~0xfffull) | 1;
	idt32[GP_VECTOR] = (gp & 0xffff) | 0x20ull << 16 | 0x8e00ull << 32 | gp >> 16 << 48;
	legacy_gdt[CODE_TASK16 / 8] =
		0xffff | (real & 0xffffff) << 16 | 0x9bull << 40 | real >> 24 << 56;
	legacy_call(run_modes);

	ok(found[0] == 0x600d600d, "PAE paging is switched on with its PDPTEs");
	ok(refused_cr0 == reserved, "each reserved bit of a PDPTE is #GP at MOV to CR0");
	ok(!(found[2] & CR0_PG), "and paging stays off");
	ok(refused_cr3 == reserved, "and at MOV to CR3");
	ok(true, "CPUID 80000001h in 32-bit code: EDX %x", found[1]);
	ok(found[3] == cpuid(0, 0).ebx, "CPUID in real mode");
	ok(!(found[4] & CR0_PE), "CR0.PE is clear there");
	ok((found[5] & (CR0_PE | CR0_PG)) == CR0_PE, "and set again afterwards");
	ok((found[2] ^ found[4]) & CR0_NE && !((found[2] ^ found[5]) & CR0_NE),
	   "CR0.NE is what was written each time");
}
