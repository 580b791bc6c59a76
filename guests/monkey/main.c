// SPDX-License-Identifier: MIT
/*
 * The monkey: a guest that does random things that could harm its hypervisor. Its seed determines
 * what it does. It handles the exceptions that this causes. The test is passed if it comes to its
 * end.
 *
 * Command line:
 *   seed=N n=ACTIONS (for each CPU) cpus=N apic=x2
 *   init=1         send INIT to CPUs; needs Glasshouse's icr=trap, or a CPU more than cpus=
 *   late=1         start that CPU at the end
 *   stop=1         go on after n actions, until the byte whose address it says becomes 1
 *   tables=1       half of the actions change and use random page tables
 *   sweep=ROUNDS   begin with the sweep, with each instruction ROUNDS times in each mode
 *   leave=TRIES    then ask Glasshouse to leave, after TRIES wrong requests
 *   end=HOW        the last CPU resets the machine, by "triple" or "port64", while the others run
 * on
 */
#include "guests/monkey/monkey.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "guests/lib/guest.h"
#include "guests/lib/random.h"
#include "lib/string.h"

#define LOAD_ADDRESS MIB(16) /* as in guests/lib/guest.ld; the guest is smaller than 2 MiB */
#define PTE_NX       BIT(63)

extern const u8 stubs[256][16], on_nmi[], on_syscall[];
extern u64 pdpt[512];

u64 hole_start, hole_size;
struct hole holes[MAX_HOLES];
unsigned nr_holes;
unsigned monkey_cpus;
volatile bool under_hypervisor;
bool init_allowed, with_tables;
u32 patience;
volatile bool mcpu_up[MAX_CPUS];

static struct mcpu mcpus[MAX_CPUS];
struct gate idt[256];
static struct gate idt_filled[256];
static u64 window_pt[512] __aligned(4096), first_pt[512] __aligned(4096);
static u8 pages[MAX_CPUS][WINDOW_SIZE] __aligned(4096);
static u8 supervisor_code[MAX_CPUS][4096] __aligned(4096); /* where ring 3 cannot write */
static u64 actions;
static bool waits; /* for stop */
static volatile u8 stop;
static volatile bool ended[MAX_CPUS]; /* it has done its work: an INIT does not matter any more */
static const char *end;

u64 rnd(struct mcpu *m)
{
	return xorshift64(&m->seed) * 0x2545f4914f6cdd1d;
}

/* An exception in the monkey itself: it has overwritten its own IDT, or there is a defect. */
void unexpected_exception(struct frame *f)
{
	for (unsigned i = 0; i < ARRAY_SIZE(idt); i++)
		if (memcmp(&idt[i], &idt_filled[i], sizeof(idt[i])))
			say("# IDT: entry %u is overwritten: %x %x %x %x %x\n", i, idt[i].low,
			    idt[i].selector, idt[i].flags, idt[i].mid, idt[i].high);
	bail_out("exception %llu, error %llx, in the monkey itself at %llx, CR2 %llx",
		 (unsigned long long)f->vector, (unsigned long long)f->error,
		 (unsigned long long)f->rip, (unsigned long long)read_cr2());
}

static u64 segment(u64 base, u64 flags, u64 ring)
{
	return (base & 0xffffff) << 16 | base >> 24 << 56 | flags | ring << 45;
}

void load_tables(struct mcpu *m)
{
	u64 tss = (u64)m->tss, top = (u64)m + M_SIZE;
	struct {
		u16 limit;
		u64 base;
	} __packed gdtr = {sizeof(m->gdt) - 1, (u64)m->gdt}, idtr = {sizeof(idt) - 1, (u64)idt};

	for (u64 r = 0; r < 4; r++) {
		m->gdt[2 + 2 * r] = segment(0, 0x00af9b000000ffff, r);
		m->gdt[3 + 2 * r] = segment(0, 0x00cf93000000ffff, r);
		m->gdt[10 + r] = segment(0, 0x00cf9b000000ffff, r);
		m->gdt[14 + r] = segment((u64)(r == 3 ? m->code : supervisor_code[m->cpu]),
					 0x00009b000000ffff, r);
	}
	m->gdt[18] = segment(tss, 0x0000890000000067, 0);
	m->gdt[19] = tss >> 32;
	*(u64 *)(m->tss + 36) = top - 4096; /* IST1: all but NMI */
	*(u64 *)(m->tss + 44) = top;        /* IST2: NMI */
	*(u16 *)(m->tss + 102) = 104;
	asm volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(TSS_SEL));
}

static void fill_idt(void)
{
	for (unsigned i = 0; i < 256; i++) {
		u64 stub = i == NMI_VECTOR ? (u64)on_nmi : (u64)stubs[i];
		u16 flags = 0x8e01;

		if (i == NMI_VECTOR)
			flags = 0x8e02;
		if (i == END_VECTOR || i == OF_VECTOR)
			flags |= 0x6000;
		idt[i] = (struct gate){(u16)stub,         CODE64(0),         flags,
				       (u16)(stub >> 16), (u32)(stub >> 32), 0};
	}
	memcpy(idt_filled, idt, sizeof(idt));
}

static bool may_execute(u64 at)
{
	bool may = at == LOAD_ADDRESS;

	for (unsigned i = 0; i < nr_holes; i++)
		may |= at < holes[i].start + holes[i].size && holes[i].start < at + MIB(2);
	return may;
}

/*
 * Map the windows, and make all other memory non-executable except the monkey itself and
 * Glasshouse's memory: executed as code, what is below 1 MiB would some day write to the monkey.
 */
static void map_windows(void)
{
	u64 *pd = (u64 *)(pdpt[3] & ~0xfffull), *low = (u64 *)(pdpt[0] & ~0xfffull);

	for (u64 i = 0; i < 2048; i++)
		if (!may_execute(i * MIB(2)))
			low[i] |= PTE_NX;
	for (u64 i = 0; i < 512; i++)
		first_pt[i] = i * 4096 | 3 | (i == AP_BASE / 4096 ? 0 : PTE_NX);
	low[0] = (u64)first_pt | 7;

	for (unsigned i = 0; i < MAX_CPUS * WINDOW_SIZE / 4096; i++)
		window_pt[i] = ((u64)pages + i * 4096ull) | 7;
	pd[0] = (u64)window_pt | 7;
	write_cr3(read_cr3());
}

/* Fill @at with INT3, so that code under test ends wherever it runs on. */
static void fill(u8 *at, unsigned size)
{
	for (unsigned i = 0; i < size; i += 8)
		*(u64 *)(at + i) = 0xcccccccccccccccc;
}

/* Restore registers that the code under test may have changed. */
static void restore(struct mcpu *m)
{
	if (read_cr0() != m->cr0)
		write_cr0(m->cr0);
	if (read_cr4() != m->cr4)
		write_cr4(m->cr4);
	asm volatile("mov %0, %%cr8" : : "r"(0ull));
	asm volatile("mov %0, %%dr7; mov %1, %%dr6" : : "r"(0x400ull), "r"(0xffff0ff0ull));
}

struct frame *run_code(struct mcpu *m, const void *code, unsigned n, unsigned ring, unsigned bits)
{
	u8 *at = ring == 3 ? m->code : supervisor_code[m->cpu];
	struct frame *f;

	fill(at, 64);
	memcpy(at, code, n);
	m->rip = bits == 16 ? 0 : (u64)at;
	m->cs = bits == 64 ? CODE64(ring) : bits == 32 ? CODE32(ring) : CODE16(ring);
	m->ss = DATA(ring);
	m->data = DATA(3);
	m->rsp = (u64)m->code + WINDOW_SIZE - 256;
	m->rflags = RFLAGS_FIXED | RFLAGS_IF | (rnd(m) % 16 ? 0 : RFLAGS_TF);
	apic_write(0x380, patience);
	f = run(m);
	apic_write(0x380, 0);
	m->ends[f->vector < 32 ? f->vector : 31]++;
	if (f->vector >= 32)
		apic_write(0xb0, 0);
	restore(m);
	return f;
}

struct frame *run_at(struct mcpu *m, void *page, u64 rflags)
{
	struct frame *f;

	m->rip = (u64)page;
	m->cs = CODE64(0);
	m->ss = DATA(0);
	m->data = DATA(3);
	m->rsp = (u64)m->code + WINDOW_SIZE - 256;
	m->rflags = RFLAGS_FIXED | rflags;
	if (m->has_xsave)
		write_cr4(m->cr4 | CR4_OSXSAVE);
	f = run(m);
	m->ends[f->vector % 32]++;
	restore(m);
	return f;
}

struct frame *run_quiet(struct mcpu *m, const void *code, unsigned n)
{
	u8 *at = supervisor_code[m->cpu];

	fill(at, 64);
	memcpy(at, code, n);
	return run_at(m, at, 0);
}

void start_monkey(unsigned cpu)
{
	struct mcpu *m = &mcpus[cpu];
	u64 window = WINDOW + cpu * WINDOW_SIZE;

	m->code = (u8 *)window;
	m->cpu = cpu;
	m->saved = 0;
	m->stream = m->slots = 0;
	fill(m->code, WINDOW_SIZE);
	fill(supervisor_code[cpu], 4096);
	m->cr0 = read_cr0() & ~(CR0_CD | CR0_NW);
	m->cr4 = read_cr4();
	m->apic_base = rdmsr(MSR_IA32_APICBASE);
	m->has_xsave = cpuid(1, 0).ecx & BIT(26);
	load_tables(m);
	wrmsr(MSR_STAR, (u64)CODE64(0) << 32 | (u64)CODE64(3) << 48);
	wrmsr(MSR_LSTAR, (u64)on_syscall);
	wrmsr(MSR_CSTAR, (u64)on_syscall);
	wrmsr(MSR_IA32_SYSENTER_CS, CODE64(0));
	wrmsr(MSR_IA32_SYSENTER_EIP, (u64)on_syscall);
	wrmsr(MSR_IA32_SYSENTER_ESP, (u64)m + M_SIZE - 4096);
	apic_write(0x3e0, 0xb);
	apic_write(0x320, TIMER_VECTOR);
	mcpu_up[cpu] = true;
}

static bool is_done(const struct mcpu *m)
{
	return m->done >= actions && (!waits || stop);
}

static void monkey(unsigned cpu)
{
	struct mcpu *m = &mcpus[cpu];
	struct ap_state state;

	start_monkey(cpu);
	if (end && cpu == monkey_cpus - 1) {
		while (m->done++ < actions / 2)
			act(m);
		end_machine(end);
	}
	while (!is_done(m)) {
		act(m);
		m->done++;
		/* The CPU continues its work: m->done survives INIT. */
		if (init_allowed && cpu == 0 && m->done % 1024 == 0) {
			unsigned ap = 1 + (unsigned)rnd(m) % (monkey_cpus - 1);

			mcpu_up[ap] = false;
			ap_boot(ap, &state);
		}
	}
	ended[cpu] = true;
}

/* Wait until the CPU has finished, restarting it as it may have sent INIT to itself. Returns false
 * on a time-out. */
static bool finish(unsigned cpu)
{
	struct ap_state state;

	for (unsigned tries = 0; init_allowed && tries < 1000 && !ended[cpu]; tries++) {
		mcpu_up[cpu] = false;
		ap_boot(cpu, &state);
		wait_ticks(5000000);
	}
	return ap_wait(cpu);
}

static void find_holes(void)
{
	struct e820_entry e;

	while (nr_holes < MAX_HOLES && hidden_range(nr_holes, &e)) {
		holes[nr_holes++] = (struct hole){e.start, e.size};
		if (e.size > hole_size) {
			hole_start = e.start;
			hole_size = e.size;
		}
	}
}

static void report(unsigned cpu)
{
	struct mcpu *m = &mcpus[cpu];

	say("# cpu %u: %llu actions, %llu NMIs, ended by", cpu, (unsigned long long)m->done,
	    (unsigned long long)m->nmis);
	for (unsigned i = 0; i < 32; i++)
		if (m->ends[i])
			say(" %u:%llu", i, (unsigned long long)m->ends[i]);
	say("\n");
}

void guest_main(void)
{
	u64 seed = param_number("seed", 1);
	u64 leave = param_number("leave", 0);
	bool with = under_glasshouse();
	const char *apic = param("apic");
	struct ap_state state;

	monkey_cpus = (unsigned)param_number("cpus", 1);
	actions = param_number("n", 10000);
	end = param("end");
	init_allowed = param_number("init", 0) && monkey_cpus > 1;
	waits = param_number("stop", 0);
	with_tables = param_number("tables", 0);
	patience = (u32)param_number("patience", 4000); /* more than a trapped write takes */
	say("# monkey %s Glasshouse, seed %llu, %llu actions on each of %u CPUs\n",
	    under_glasshouse() ? "under" : "without", (unsigned long long)seed,
	    (unsigned long long)actions, monkey_cpus);
	if (waits)
		say("# stop at %llx\n", (unsigned long long)&stop);
	/* After Glasshouse has left, its memory is ordinary code, and VMX instructions work. */
	under_hypervisor = with && !leave;
	if (under_hypervisor)
		find_holes();
	fill_idt();
	map_windows();
	apic_init(apic && apic[0] == 'x' && apic[1] == '2');
	for (unsigned cpu = 0; cpu < monkey_cpus; cpu++)
		mcpus[cpu].seed = seed * 0x9e3779b97f4a7c15 + cpu + 1;

	for (unsigned cpu = 1; cpu < monkey_cpus; cpu++)
		ok(ap_boot(cpu, &state), "cpu %u has started", cpu);
	for (unsigned cpu = 1; cpu < monkey_cpus; cpu++)
		ap_start_job(cpu, monkey);
	if (param_number("sweep", 0)) {
		start_monkey(0);
		sweep(&mcpus[0], (unsigned)param_number("sweep", 0));
	}
	if (leave) {
		start_monkey(0);
		ask_to_leave(&mcpus[0], (unsigned)leave);
	}
	monkey(0);
	for (unsigned cpu = 1; cpu < monkey_cpus; cpu++)
		ok(finish(cpu), "cpu %u has finished", cpu);
	for (unsigned cpu = 0; cpu < monkey_cpus; cpu++)
		report(cpu);
	if (param_number("late", 0))
		ok(ap_boot(monkey_cpus, &state), "cpu %u has started, after all others",
		   monkey_cpus);
	ok(under_glasshouse() == (with && !leave),
	   leave ? "no hypervisor answers CPUID" : "the hypervisor still answers CPUID");
	plan();
}
