/* SPDX-License-Identifier: MIT */
/*
 * GDT and TSS, one pair per CPU: only what long mode requires.
 */
#include "arch/x86/desc.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "errno.h"

static void fill_tables(struct cpu *cpu)
{
	u64 base = (u64)&cpu->tss;

	cpu->tss.io_map_base = sizeof(cpu->tss);
	cpu->gdt[SEL_CODE64 / 8] = DESC_CODE64;
	cpu->gdt[SEL_DATA / 8] = DESC_DATA;
	cpu->gdt[SEL_CODE32 / 8] = DESC_CODE32;
	/* Present, 64-bit TSS, available. */
	cpu->gdt[SEL_TSS / 8] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
				(base >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8 + 1] = base >> 32;
	cpu->self = cpu;
}

int desc_init(struct cpu *cpu)
{
	for (int i = 0; i < IST_COUNT; i++) {
		cpu->tss.ist[i] = stack_alloc(IST_STACK_PAGES);
		if (!cpu->tss.ist[i])
			return -ENOMEM;
	}
	fill_tables(cpu);
	return 0;
}

void desc_load(struct cpu *cpu)
{
	struct desc_ptr gdt = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};

	asm volatile("lgdt %0\n\t"
		     "mov %1, %%ds\n\t"
		     "mov %1, %%es\n\t"
		     "mov %1, %%ss\n\t"
		     "mov %2, %%fs\n\t"
		     "mov %2, %%gs\n\t"
		     "pushq %3\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:"
		     :
		     : "m"(gdt), "r"(SEL_DATA), "r"(0), "i"(SEL_CODE64)
		     : "rax", "memory");
	wrmsr(MSR_GS_BASE, (u64)cpu);
	asm volatile("ltr %w0" : : "r"(SEL_TSS));
}

/* One stack for NMI, #DF and #MC: only the first returns this early. The TSS is not busy, whoever
 * has loaded it before. */
void desc_load_early(void)
{
	static struct cpu early;
	static u8 stack[IST_STACK_PAGES * PAGE_SIZE] __aligned(16);

	for (int i = 0; i < IST_COUNT; i++)
		early.tss.ist[i] = (u64)(stack + sizeof(stack));
	fill_tables(&early);
	desc_load(&early);
}
