// SPDX-License-Identifier: MIT
/*
 * Accesses whose outcome is recorded, at CPL 0 and 3, and what they need: a GDT, an IDT, a TSS, and
 * code that CPL 3 may execute.
 */
#include "guests/paging/paging.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "guests/lib/random.h"
#include "lib/string.h"

struct gate {
	u16 low, selector, flags, mid;
	u32 high, zero;
};

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

extern const u8 probe_user[], probe_user_end[], probe_stubs[32][16];
extern struct table_pointer probe_idt_pointer, probe_saved_idt;
void probe_access(unsigned kind, u64 va, struct probe *probe);

static u8 user_page[4096] __aligned(4096), ring0_stack[4096] __aligned(16);
static u64 user_pdpt[512] __aligned(4096), user_pd[512] __aligned(4096),
	user_pt[512] __aligned(4096);
static u64 gdt[10];
static u8 tss[104] __aligned(16);
static struct gate idt[32];
static struct probe last;

void probe_load_gdt(void)
{
	struct table_pointer pointer = {sizeof(gdt) - 1, (u64)gdt};
	u64 base = (u64)tss;

	gdt[0x10 / 8] = 0x00af9b000000ffff; /* as in head.S */
	gdt[0x18 / 8] = 0x00cf93000000ffff;
	gdt[USER_DATA / 8] = 0x00cff3000000ffff;
	gdt[USER_CODE / 8] = 0x00affb000000ffff;
	gdt[TSS64 / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			 (base >> 24 & 0xff) << 56;
	gdt[TSS64 / 8 + 1] = base >> 32;
	*(u64 *)(tss + 4) = (u64)ring0_stack + sizeof(ring0_stack);
	asm volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(TSS64));
}

void probe_load_ldt(u64 base)
{
	gdt[LDT / 8] = 15 | (base & 0xffffff) << 16 | 0x82ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[LDT / 8 + 1] = base >> 32;
	asm volatile("lldt %w0" : : "r"(LDT));
}

static void fill_idt(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(idt); i++) {
		u64 stub = (u64)probe_stubs[i];

		idt[i] = (struct gate){
			(u16)stub, 0x10, (u16)0x8e00, (u16)(stub >> 16), (u32)(stub >> 32), 0,
		};
	}
	idt[BP_VECTOR].flags |= 0x6000; /* DPL 3 */
	probe_idt_pointer = (struct table_pointer){sizeof(idt) - 1, (u64)idt};
	asm volatile("sidt %0" : "=m"(probe_saved_idt));
}

void probe_init(void)
{
	memcpy(user_page, probe_user, (size_t)(probe_user_end - probe_user));
	pml4[USER_STUB >> 39 & 511] = (u64)user_pdpt | PT_P | PT_W | PT_U;
	user_pdpt[0] = (u64)user_pd | PT_P | PT_W | PT_U;
	user_pd[0] = (u64)user_pt | PT_P | PT_W | PT_U;
	user_pt[0] = (u64)user_page | PT_P | PT_U;
	probe_load_gdt();
	fill_idt();
}

void probe_run(struct probe *probe, unsigned kind, u64 va)
{
	probe_access(kind, va, probe);
}

int peek(u64 va)
{
	probe_run(&last, KIND_READ, va);
	return last.vector == BP_VECTOR ? (int)(u8)last.data : -1;
}

bool fetches(u64 va)
{
	probe_run(&last, KIND_FETCH, va);
	return last.vector == BP_VECTOR && last.rip == va + 1;
}

const struct probe *last_peek(void)
{
	return &last;
}

void set_cr0(u64 bit, bool on)
{
	write_cr0(on ? read_cr0() | bit : read_cr0() & ~bit);
}

void set_cr4(u64 bit, bool on)
{
	write_cr4(on ? read_cr4() | bit : read_cr4() & ~bit);
}

void set_nxe(bool on)
{
	u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, on ? efer | EFER_NX : efer & ~EFER_NX);
}

void write_pkru(u32 value)
{
	asm volatile("wrpkru" : : "a"(value), "c"(0), "d"(0));
}

u64 random(void)
{
	static u64 state = 0x9e3779b97f4a7c15;

	return xorshift64(&state) * 0x2545f4914f6cdd1d >> 16;
}
