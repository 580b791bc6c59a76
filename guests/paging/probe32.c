// SPDX-License-Identifier: MIT
/*
 * What probe32.S needs: descriptors, a TSS, an IDT.
 */
#include "guests/paging/paging.h"

#include "arch/x86/cpu.h"

#define DPL3 (3ull << 45)

extern u64 legacy_gdt[32], idt32[32];
extern const u8 probe32_stubs[32][16];
extern u32 batch32_probes;
void batch32_code(void);
void legacy_call(void (*code32)(void));

static u8 stack[4096] __aligned(16);
static u32 tss[26] __aligned(16);

static void fill_tables(void)
{
	u64 base = (u64)tss;

	legacy_gdt[USER_DATA32 / 8] = 0x00cff3000000ffff;
	legacy_gdt[USER_CODE32 / 8] = 0x00cffb000000ffff;
	legacy_gdt[TSS32 / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
				(base >> 24 & 0xff) << 56;
	tss[1] = (u32)(u64)stack + sizeof(stack);
	tss[2] = 0x18;
	for (unsigned i = 0; i < 32; i++) {
		u64 stub = (u64)probe32_stubs[i];

		idt32[i] = (stub & 0xffff) | 0x20ull << 16 | 0x8e00ull << 32 | stub >> 16 << 48;
	}
	idt32[BP_VECTOR] |= DPL3;
}

void batch32_run(struct probe *probes)
{
	fill_tables();
	batch32_probes = (u32)(u64)probes;
	legacy_call(batch32_code);
	probe_load_gdt();
}
