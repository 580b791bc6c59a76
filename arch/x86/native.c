/* SPDX-License-Identifier: MIT */
/*
 * Leave Glasshouse on a CPU: set up the pages that both address spaces map, and load the registers
 * that can be loaded before the switch.
 */
#include "arch/x86/native.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/pages.h"
#include "lib/string.h"

#define PTE_P         1ull
#define STATE_OFFSET  1024
#define TSS_AVAILABLE (0x89ull << 40)

#define CHECK(offset, member) \
	_Static_assert(offsetof(struct native_state, member) == (offset), #member)
CHECK(NATIVE_FRAME, rip);
CHECK(NATIVE_CR3, cr3);
CHECK(NATIVE_CR4, cr4);
CHECK(NATIVE_EFER, efer);
CHECK(NATIVE_FS_BASE, fs_base);
CHECK(NATIVE_GS_BASE, gs_base);
CHECK(NATIVE_DR7, dr7);
CHECK(NATIVE_GDTR, gdt_limit);
CHECK(NATIVE_IDTR, idt_limit);
CHECK(NATIVE_SELECTORS, ldtr);

extern const u8 native_entry[], native_entry_end[];

/* The tables below the shared top-level entry. Page i is for CPU i. */
static u64 *pdpt, *pd, *pt;

int native_prepare(unsigned nr)
{
	if (!pdpt)
		pdpt = page_alloc();
	if (!pd)
		pd = page_alloc();
	if (!pt)
		pt = page_alloc();
	if (!pdpt || !pd || !pt)
		return -ENOMEM;
	pdpt[0] = virt_to_phys(pd) | PTE_P;
	pd[0] = virt_to_phys(pt) | PTE_P;
	if (nr > PAGE_SIZE / sizeof(pt[0]))
		return -E2BIG; /* one page table maps the pages of all CPUs */
	for (unsigned i = 0; i < nr; i++) {
		u8 *page = pt[i] ? phys_to_virt(pt[i] & PAGE_MASK) : page_alloc();

		if (!page)
			return -ENOMEM;
		memcpy(page, native_entry, (size_t)(native_entry_end - native_entry));
		pt[i] = virt_to_phys(page) | PTE_P;
	}
	return 0;
}

struct native_state *native_state(unsigned i)
{
	return (void *)((u8 *)phys_to_virt(pt[i] & PAGE_MASK) + STATE_OFFSET);
}

/*
 * Load TR from a temporary descriptor: the guest's own is marked busy, with which LTR fails. The
 * temporary GDT is based so that the selector points at the descriptor.
 */
static void load_tr(const struct native_state *state)
{
	u64 descriptor[2] = {(state->tr_limit & 0xffff) | (state->tr_base & 0xffffff) << 16 |
				     TSS_AVAILABLE | (u64)(state->tr_limit >> 16 & 0xf) << 48 |
				     (state->tr_base >> 24 & 0xff) << 56,
			     state->tr_base >> 32};
	struct desc_ptr gdt = {0xffff, (u64)descriptor - (state->tr & ~7u)};

	/* LTR cannot load a null selector: TR stays Glasshouse's. */
	if (state->tr & ~3u)
		asm volatile("lgdt %0\n\tltr %1"
			     :
			     : "m"(gdt), "r"(state->tr), "m"(descriptor)
			     : "memory");
}

u64 native_share(u64 *top)
{
	return paging_share(top, virt_to_phys(pdpt) | PTE_P);
}

void native_resume(unsigned i, u64 where)
{
	struct native_state *state = native_state(i);
	u64 page = where + i * PAGE_SIZE;

	load_tr(state);
	write_cr0(state->cr0);
	/* Setting CR4.PCIDE requires bits 11:0 of CR3 to be 0, as Glasshouse's CR3 has them. */
	write_cr4(state->cr4 & ~CR4_CET);
	asm volatile("jmp *%0" : : "r"(page), "D"(page + STATE_OFFSET) : "memory");
	__builtin_unreachable();
}
