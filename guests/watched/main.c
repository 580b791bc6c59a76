// SPDX-License-Identifier: MIT
/*
 * Accesses to a few bytes, each a known number of times, from two CPUs, while timer interrupts
 * come: for the monitor's command watch. The guest prints where the bytes are. For each byte that
 * comes on COM1 it makes a round; after an 'e' it compares what it has written with what is there,
 * and ends.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "lib/string.h"

#define COM1  0x3f8
#define TIMES 20 /* each access, in a round */

#define FAR_TIMES 10 /* stores far from all others, for each of these */

#define PRESENT  BIT(0)
#define WRITABLE BIT(1)

/* Two pages that follow each other, so that an access can be on both. */
static struct {
	u8 free[256];
	u64 both;       /* both CPUs: LOCK XADD */
	u64 own[2];     /* a CPU's own: stores of 1, 2, 3... */
	u64 read;       /* loads by both */
	u64 beside[2];  /* stores that no one is to see */
	u8 from[16];    /* REP MOVSB from here... */
	u8 to[16];      /* ...to here */
	u64 moved_from; /* MOVSQ from here to moved_to, on the other page */
	u8 more[4096 - 256 - 8 * 7 - 32 - 4];
	u8 edge[8]; /* 4 bytes on each page */
	u8 rest[4];
	u64 moved_to;
	u64 stack[200];
	u64 stack_top[0];
} data __aligned(4096);

static u8 idt_page[4096] __aligned(4096);

/* The state of FPU and vector registers: as FXSAVE stores it, and as XSAVE does, with its header on
 * the second page. */
static struct {
	u8 free[512];
	u8 fxsave[512];
	u8 more[4096 - 3 * 512];
	u8 xsave[512 + 4096];
} area __aligned(4096);

static bool has_xsave;

/* A page of code: a store to itself, and a return. */
extern u8 code_page[], code_add[], code_word[];
asm("	.text\n"
    "	.balign 4096\n"
    "	.globl code_page, code_add, code_word\n"
    "code_page:\n"
    "	.fill 64, 1, 0x90\n"
    "code_add:\n"
    "	incq code_word(%rip)\n"
    "	nop\n"
    "	ret\n"
    "	.balign 64\n"
    "code_word:\n"
    "	.quad 0\n"
    "	.balign 4096\n");

/* A function whose code the monitor may patch, on a page of its own. */
extern u8 probe_page[];
asm("	.text\n"
    "	.balign 4096\n"
    "	.globl probe_page\n"
    "probe_page:\n"
    "	movl $1, %eax\n"
    "	addl $0x10, %eax\n"
    "	ret\n"
    "	.balign 4096\n");
#define PROBE_FIRST  1 /* where the low byte of its first operand is */
#define PROBE_SECOND 7 /* and that of the second */

static unsigned rounds;
static volatile u32 probed[2];

static u32 probe(void)
{
	u32 value;

	asm volatile("call *%1" : "=a"(value) : "r"((u64)probe_page) : "memory", "cc");
	return value;
}

/* INT3 with the stack on the page; the gate is read from the IDT on another page. */
static void breakpoint_on_page(void)
{
	asm volatile("movq %%rsp, %%rbx\n\t"
		     "movq %0, %%rsp\n\t"
		     "int3\n\t"
		     "movq %%rbx, %%rsp"
		     :
		     : "r"(data.stack_top)
		     : "rbx", "memory", "cc");
}

#define CR4_OSFXSR  BIT(9)
#define CR4_OSXSAVE BIT(18)

/* Have FXSAVE store the XMM registers, and XSAVE those of AVX, if the CPU has that. */
static void state_init(void)
{
	u64 cr4;

	has_xsave = cpuid(1, 0).ecx & BIT(26);
	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_OSFXSR | (has_xsave ? CR4_OSXSAVE : 0);
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
	if (has_xsave)
		asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
	say("# has XSAVE: %u\n", has_xsave);
}

/* The same state each time: what is written does not change. */
static void save_state(void)
{
	asm volatile("fxsave %0\n\tfxrstor %0" : "+m"(area.fxsave));
	if (has_xsave)
		asm volatile("xsave %0" : "+m"(area.xsave) : "a"(7), "d"(0));
}

/* What both CPUs do. */
static void accesses(unsigned cpu)
{
	for (unsigned i = 0; i < TIMES; i++) {
		u64 one = 1;

		asm volatile("lock xaddq %0, %1" : "+r"(one), "+m"(data.both));
		asm volatile("movq %1, %0"
			     : "=m"(data.own[cpu])
			     : "r"((u64)rounds * TIMES + i + 1));
		asm volatile("movq %1, %0" : "=r"(one) : "m"(data.read));
		asm volatile("movl %1, %0" : "=m"(data.beside[cpu]) : "r"(i));
		for (unsigned j = 0; j < FAR_TIMES; j++)
			asm volatile("movl %1, %0" : "=m"(data.more[2048]) : "r"(j));
	}
}

/* What only one CPU does. */
static void more_accesses(void)
{
	for (unsigned i = 0; i < TIMES; i++) {
		u64 at = (u64)code_add;
		void *from = &data.moved_from, *to = &data.moved_to;

		data.moved_from = i * 3;
		asm volatile("movsq" : "+S"(from), "+D"(to) : : "memory");
		asm volatile("movq %1, %0" : "=m"(data.edge) : "r"(0x0101010101010101 * i));
		asm volatile("call *%0" : : "r"(at) : "memory", "cc");
		save_state();
	}
	for (unsigned i = 0; i < sizeof(data.from); i++)
		data.from[i] = (u8)(i + rounds);
	asm volatile("rep movsb"
		     :
		     : "S"(data.from), "D"(data.to), "c"(sizeof(data.from))
		     : "memory");
}

static void timer(bool on)
{
	apic_write(0x3e0, 0xb);                                   /* divide by 1 */
	apic_write(0x320, on ? 0x20000 | TIMER_VECTOR : 0x10000); /* periodic; or masked */
	apic_write(0x380, on ? 100000 : 0);
	if (on)
		asm volatile("sti");
	else
		asm volatile("cli");
}

static void job(unsigned cpu)
{
	timer(true);
	probed[cpu] = probe();
	accesses(cpu);
	timer(false);
}

/* Put the IDT on a page of its own. */
static void move_idt(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer;

	asm volatile("sidt %0" : "=m"(pointer));
	memcpy(idt_page, (const void *)pointer.base, pointer.limit + 1ul);
	pointer.base = (u64)idt_page;
	asm volatile("lidt %0" : : "m"(pointer));
}

static char wait_for_byte(void)
{
	while (!(inb(COM1 + 5) & 1))
		cpu_relax();
	return (char)inb(COM1);
}

static void say_where(const char *name, const volatile void *at)
{
	say("# %s %llx\n", name, (unsigned long long)at);
}

static void make_round(volatile u64 *pte)
{
	ap_start_job(1, job);
	job(0);
	more_accesses();
	ok(ap_wait(1), "the other CPU has ended its round");
	for (unsigned i = 0; i < TIMES; i++) {
		breakpoint_on_page();
		invlpg(TEST_PAGES);
		(void)*(volatile u8 *)TEST_PAGES;
	}
	*(volatile u8 *)&probe_page[PROBE_SECOND] = 0x20;
	say("# probe %x %x %x %x\n", probed[0], probed[1], *(volatile u8 *)&probe_page[PROBE_FIRST],
	    probe());
	*(volatile u8 *)&probe_page[PROBE_SECOND] = 0x10;
	rounds++;
	ok(*pte & PRESENT, "round %u", rounds);
	say("# done %u\n", rounds);
}

void guest_main(void)
{
	struct ap_state state;
	volatile u64 *pte = set_page(0, (u64)&data | PRESENT | WRITABLE);
	u64 sum = 0;

	apic_init(false);
	say("# waits\n");
	wait_for_byte();
	ok(ap_boot(1, &state), "the other CPU starts");
	move_idt();
	state_init();
	say_where("fxsave", area.fxsave);
	say_where("xsave", area.xsave);
	say_where("both", &data.both);
	say_where("own", &data.own);
	say_where("read", &data.read);
	say_where("beside", &data.beside);
	say_where("from", data.from);
	say_where("to", data.to);
	say_where("moved_from", &data.moved_from);
	say_where("moved_to", &data.moved_to);
	say_where("edge", data.edge);
	say_where("stack_top", data.stack_top);
	say_where("gate", idt_page + 16 * BP_VECTOR);
	say_where("code_add", code_add);
	say_where("code_word", code_word);
	say_where("pte", pte);
	say_where("probe", probe_page);
	say("# ready\n");
	while (wait_for_byte() != 'e')
		make_round(pte);
	ok(data.both == 2ul * TIMES * rounds, "the atomic additions of both CPUs");
	ok(data.own[0] == (u64)TIMES * rounds && data.own[1] == data.own[0],
	   "the stores of both CPUs");
	ok(!memcmp(data.from, data.to, sizeof(data.from)), "what REP MOVSB has moved");
	ok(data.moved_to == (TIMES - 1) * 3, "what MOVSQ has moved");
	for (unsigned i = 0; i < sizeof(data.edge); i++)
		sum += data.edge[i];
	ok(sum == 8 * (TIMES - 1), "a store over the border of two pages");
	ok(*(u64 *)code_word == (u64)TIMES * rounds, "code that changes its own page");
	plan();
}
