// SPDX-License-Identifier: MIT
/*
 * Every instruction of insns.c in every mode outside of long mode, and accesses to Glasshouse's
 * memory in these modes. The timer's interrupt ends code that does not end by itself.
 */
#include "guests/monkey/legacy.h"

#include "arch/x86/cpu.h"
#include "guests/lib/guest.h"
#include "guests/monkey/monkey.h"
#include "lib/string.h"

#define STACK_SIZE 4096

extern u64 legacy_gdt[32];
extern const u8 real_blob[], real_blob_end[], legacy_stubs[256][16];
extern const u32 real_ended_offset, real_int3_offset;
extern volatile u32 legacy_vector;
void legacy_run(void);
void legacy_call(void (*code32)(void));

struct legacy_mode legacy_mode;
u64 legacy_idt[256];
u32 legacy_ivt[256];

static u32 pd32[1024] __aligned(4096);
static u64 pae_pdpt[4] __aligned(32);
static u64 pae_pd[2048] __aligned(4096);
static u8 stack[STACK_SIZE] __aligned(16), exception_stack[STACK_SIZE] __aligned(16);
static u8 buffer[8192] __aligned(4096);
static u32 tss[26 + 8 + 2048], tss2[26];

static const struct kind {
	const char *name;
	u32 cs, data, eflags, bits;
} kinds[] = {
	{"32-bit protected mode, ring 0", 0x20, 0x18, 0, 32},
	{"32-bit protected mode, ring 3", LEGACY_CODE32_R3 | 3, LEGACY_DATA_R3 | 3, 0, 32},
	{"16-bit protected mode, ring 0", LEGACY_CODE16, 0x18, 0, 16},
	{"16-bit protected mode, ring 3", LEGACY_CODE16_R3 | 3, LEGACY_DATA_R3 | 3, 0, 16},
	{"virtual-8086 mode", LEGACY_PAGE >> 4, 0, RFLAGS_VM, 16},
	{"virtual-8086 mode, IOPL 3", LEGACY_PAGE >> 4, 0, RFLAGS_VM | 3 << 12, 16},
	{"real mode", 0, 0, 0, 16},
};

static const struct {
	const char *name;
	u32 cr0, cr4;
} pagings[] = {
	{"no paging", 0, 0},
	{"32-bit paging", CR0_PG, CR4_PSE},
	{"PAE paging", CR0_PG, CR4_PAE},
};

static u64 gate(u64 handler, u64 dpl)
{
	return (handler & 0xffff) | 0x20ull << 16 | (0x8e00 | dpl << 13) << 32 |
	       handler >> 16 << 48;
}

static u64 descriptor(u64 base, u64 flags)
{
	return flags | (base & 0xffffff) << 16 | base >> 24 << 56;
}

static void make_tables(void)
{
	u64 code16 = descriptor(LEGACY_PAGE, 0x00009b000000ffff), dpl3 = 3ull << 45;

	for (u32 i = 0; i < 1024; i++)
		pd32[i] = i << 22 | 0x87;
	for (u64 i = 0; i < 2048; i++)
		pae_pd[i] = i << 21 | 0x87;
	for (unsigned i = 0; i < 4; i++)
		pae_pdpt[i] = (u64)(pae_pd + 512ull * i) | 1;
	for (unsigned i = 0; i < 256; i++) {
		legacy_idt[i] = gate((u64)legacy_stubs[i], i == END_VECTOR ? 3 : 0);
		legacy_ivt[i] = LEGACY_PAGE >> 4 << 16 |
				(i == END_VECTOR ? real_int3_offset : real_ended_offset);
	}
	legacy_gdt[LEGACY_CODE32_R3 / 8] = 0x00cf9b000000ffff | dpl3;
	legacy_gdt[LEGACY_DATA_R3 / 8] = 0x00cf93000000ffff | dpl3;
	legacy_gdt[LEGACY_CODE16 / 8] = code16;
	legacy_gdt[LEGACY_CODE16_R3 / 8] = code16 | dpl3;
	legacy_gdt[LEGACY_TSS / 8] = descriptor((u64)tss, 0x0000890000000000 | (sizeof(tss) - 1));
	tss[1] = (u32)(u64)(exception_stack + STACK_SIZE);
	tss[2] = 0x18;
	/* Ring 3 may use every port: the I/O bitmap is clear, with a byte of ones at its end. */
	tss[25] = 26 * 4 << 16;
	tss[26 + 2048] = ~0u;
}

/* Fill the page: the code under test, INT3s after it, the code that enters and leaves real mode. */
static void place(const u8 *code, unsigned n)
{
	u8 *page = (u8 *)LEGACY_PAGE;

	memset(page, 0xcc, 4096);
	memcpy(page, code, n);
	memcpy(page + LEGACY_REAL, real_blob, (size_t)(real_blob_end - real_blob));
	memcpy(page + LEGACY_REAL_REGS, legacy_mode.regs, sizeof(legacy_mode.regs));
	/* A stack for IRET and RETF: offset and segment of the INT3s at LEGACY_END. */
	for (unsigned i = 0xf00; i < 0x1000; i += 4)
		*(u32 *)(page + i) = LEGACY_PAGE >> 4 << 16 | 0x80;
	memset(stack, 0, sizeof(stack));
}

static void put_frame(struct mcpu *m, const struct kind *k);

static u32 cr3_of(unsigned paging)
{
	return pagings[paging].cr4 & CR4_PAE ? (u32)(u64)pae_pdpt : (u32)(u64)pd32;
}

/* Run the code. Returns true if it came to its end. @frame: put a frame for IRET on the stack. */
static bool run_in(struct mcpu *m, const struct kind *k, unsigned paging, const u8 *code,
		   unsigned n, bool frame)
{
	struct legacy_mode *l = &legacy_mode;

	l->cr0 = (u32)(m->cr0 & ~(u64)CR0_PG) | pagings[paging].cr0;
	l->cr3 = cr3_of(paging);
	l->cr4 = pagings[paging].cr4 | CR4_OSFXSR;
	l->real = k->cs == 0;
	l->ring3 = (k->cs & 3) || (k->eflags & RFLAGS_VM);
	l->cs = k->cs;
	l->data = k->eflags & RFLAGS_VM ? 0x18 : k->data;
	l->eip = k->bits == 16 ? 0 : LEGACY_PAGE;
	l->eflags = RFLAGS_FIXED | RFLAGS_IF | k->eflags | (rnd(m) % 16 ? 0 : RFLAGS_TF);
	l->ss = k->eflags & RFLAGS_VM ? LEGACY_PAGE >> 4 : k->data;
	l->esp = k->eflags & RFLAGS_VM ? 0xff0 : (u32)(u64)(stack + STACK_SIZE - 512);
	place(code, n);
	if (frame)
		put_frame(m, k);
	apic_write(0x380, patience);
	legacy_call(legacy_run);
	load_tables(m);
	apic_write(0x380, 0);
	apic_write(0xb0, 0);
	asm volatile("mov %0, %%dr7; mov %1, %%dr6" : : "r"(0x400ull), "r"(0xffff0ff0ull));
	if (read_cr0() != m->cr0)
		write_cr0(m->cr0);
	if (read_cr4() != m->cr4)
		write_cr4(m->cr4);
	return (l->real ? *(volatile u32 *)(LEGACY_PAGE + LEGACY_REAL_END) : legacy_vector) ==
	       END_VECTOR;
}

/* Set random registers, except those of memory operands, EAX or BX + SI, which point to a buffer.
 */
static void choose_registers(struct mcpu *m, const struct kind *k)
{
	for (unsigned i = 0; i < 7; i++)
		legacy_mode.regs[i] = (u32)rnd(m) >> rnd(m) % 32;
	legacy_mode.regs[0] = ((u32)(u64)buffer + 0xfff) & ~0xfffu;
	if (k->bits == 16) {
		legacy_mode.regs[3] = BUFFER16;
		legacy_mode.regs[5] = (u32)(rnd(m) % 0x1000) & ~0x3fu;
	}
}

/*
 * Make the task for a jump; its code is INT3. At times its descriptor is bad: too short, not
 * present, busy, or not a TSS.
 */
static void make_task(struct mcpu *m, u32 cr3)
{
	u64 desc = descriptor((u64)tss2, 0x0000e90000000000 | (sizeof(tss2) - 1));

	switch (rnd(m) % 8) {
	case 0:
		desc -= sizeof(tss2) / 2;
		break;
	case 1:
		desc &= ~BIT(47);
		break;
	case 2:
		desc |= BIT(41);
		break;
	case 3:
		desc |= BIT(42);
		break;
	}
	legacy_gdt[LEGACY_TSS2 / 8] = desc;
	memcpy(tss2, tss, sizeof(tss2));
	tss2[7] = cr3;
	tss2[8] = LEGACY_PAGE + LEGACY_END;
	tss2[9] = RFLAGS_FIXED;
	tss2[14] = (u32)(u64)(stack + STACK_SIZE - 512);
	for (unsigned i = 18; i < 24; i++)
		tss2[i] = i == 19 ? 0x20 : 0x18;
}

/* Put a random frame for IRET or RETF on the stack, in protected mode; place() does it in others.
 */
static void put_frame(struct mcpu *m, const struct kind *k)
{
	static const u32 selectors[] = {0x20,
					LEGACY_CODE32_R3 | 3,
					LEGACY_CODE16,
					LEGACY_CODE16_R3 | 3,
					0,
					0x18,
					LEGACY_TSS,
					0x1f8,
					0x21,
					0x10};
	u32 cs = selectors[rnd(m) % ARRAY_SIZE(selectors)], sp = legacy_mode.esp;
	bool based = (cs & ~3u) == LEGACY_CODE16 || (cs & ~3u) == LEGACY_CODE16_R3;
	u32 frame[9] = {LEGACY_END + (based ? 0 : LEGACY_PAGE), cs,
			RFLAGS_FIXED | ((u32)rnd(m) & 0x257fd5), sp,
			one_in(m, 4) ? 0x18 : LEGACY_DATA_R3 | 3};

	if (k->bits == 32 && k->cs == 0x20 && one_in(m, 4)) {
		frame[0] = LEGACY_END;
		frame[1] = frame[4] = LEGACY_PAGE >> 4;
		frame[2] |= RFLAGS_VM;
		frame[3] = 0xf00;
	}
	for (unsigned i = 0; i < 9; i++)
		memcpy((u8 *)(u64)sp + i * k->bits / 8, &frame[i], k->bits / 8);
}

/* Run @i. Returns 0 if it must not run in this mode, 2 if it came to its end, else 1. */
static unsigned run_one(struct mcpu *m, const struct kind *k, unsigned paging, const struct insn *i)
{
	u32 *r = legacy_mode.regs, cr3 = cr3_of(paging);
	bool real = !k->cs, v86 = k->eflags & RFLAGS_VM;
	struct place p = {k->bits,
			  false,
			  !real && !v86,
			  (m->cr0 & ~(u64)(CR0_PG | CR0_PE)) | pagings[paging].cr0 |
				  (real ? 0 : CR0_PE),
			  cr3,
			  pagings[paging].cr4,
			  (u64)legacy_gdt,
			  real ? (u64)legacy_ivt : (u64)legacy_idt,
			  255,
			  real ? 1023 : 2047,
			  k->bits == 16 ? BUFFER16 : ((u32)(u64)buffer + 0xfff) & ~0xfffu,
			  LEGACY_PAGE + LEGACY_END};
	struct operands o;
	u8 code[8] = {0x66};
	unsigned n = k->bits == 16 && (i->with == WITH_GDT || i->with == WITH_IDT);

	choose_registers(m, k);
	o = (struct operands){r[0], r[1], r[2], r[3], r[5], r[6]};
	if (!prepare_insn(m, i, &p, &o))
		return 0;
	r[0] = (u32)o.ax;
	r[1] = (u32)o.cx;
	r[2] = (u32)o.dx;
	r[3] = (u32)o.bx;
	r[5] = (u32)o.si;
	r[6] = (u32)o.di;
	memcpy(code + n, i->bytes, sizeof(i->bytes));
	n += i->length;
	if (i->with == WITH_TASK) {
		memcpy(code + 1, (u32[]){0, LEGACY_TSS2}, 4);
		memcpy(code + 1 + k->bits / 8, (u16[]){LEGACY_TSS2}, 2);
		n = 3 + k->bits / 8;
		make_task(m, cr3);
	}
	return 1 + run_in(m, k, paging, code, n, i->with == WITH_FRAME && p.protected);
}

static void run_all(struct mcpu *m, const struct kind *k, unsigned paging, unsigned rounds)
{
	unsigned runs = 0, ended = 0;

	for (unsigned r = 0; r < rounds * nr_insns; r++) {
		unsigned result = run_one(m, k, paging, &insns[r % nr_insns]);

		runs += result != 0;
		ended += result == 2;
	}
	ok(ended > runs / 8, "%s, %s: %u instructions, %u without a fault", k->name,
	   pagings[paging].name, runs, ended);
}

/* Access Glasshouse's memory from 32-bit code. */
static void access_hidden(struct mcpu *m, const struct kind *k, unsigned paging, unsigned rounds)
{
	for (unsigned r = 0; r < rounds * nr_accesses; r++) {
		const struct insn *i = &accesses[r % nr_accesses];

		/* Not CALL: it would run code from FFFFFFFFh, in the ROM, on to address 0. */
		if (i->bytes[0] == 0xff && i->bytes[1] == 0x17)
			continue;
		choose_registers(m, k);
		legacy_mode.regs[1] = (u32)rnd(m) % 64;
		legacy_mode.regs[6] = (u32)(hole_start + rnd(m) % (hole_size - 4096));
		legacy_mode.regs[5] = legacy_mode.regs[0];
		run_in(m, k, paging, i->bytes, i->length, false);
	}
}

void legacy_sweep(struct mcpu *m, unsigned rounds)
{
	make_tables();
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned p = 0; p < (kinds[k].cs ? ARRAY_SIZE(pagings) : 1); p++) {
			run_all(m, &kinds[k], p, rounds);
			if (hole_size && kinds[k].bits == 32)
				access_hidden(m, &kinds[k], p, rounds);
		}
}
