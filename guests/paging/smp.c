// SPDX-License-Identifier: MIT
/*
 * One CPU changes page tables that others use. It asks them by an IPI to invalidate where the SDM
 * wants it, and does not where the SDM does not; what the others write and read is counted, so that
 * a change that comes too late shows. SDM: "Propagation of Paging-Structure Changes to Multiple
 * Processors".
 */
#include "guests/paging/region.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define SHOOT_VECTOR 40
#define POISON       0xdeadull
#define ROUNDS       200
#define GIVE_ROUNDS  50

struct gate {
	u16 low, selector, flags, mid;
	u32 high, zero;
};

extern const u8 smp_page_fault[], smp_shoot[], smp_other[];
volatile u64 smp_faults, smp_strange, smp_address;
volatile u32 smp_acks;

static struct gate idt[64];
static u64 roots[MAX_CPUS][512] __aligned(4096);
static unsigned cpus;
static void (*user)(unsigned cpu);
static volatile bool stop;
static volatile u64 counts[MAX_CPUS], wrong, passes[MAX_CPUS];

static volatile u64 *word(u64 at, unsigned cpu)
{
	return (volatile u64 *)at + cpu;
}

/* ---- The CPUs that use the tables ----------------------------------------------------------- */

/* The first half of them with the same root, the others with one of their own. */
static void use(unsigned cpu)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = {sizeof(idt) - 1, (u64)idt}, old;
	u64 cr3 = read_cr3();

	asm volatile("sidt %0; lidt %1" : "=m"(old) : "m"(pointer));
	write_cr0(read_cr0() | CR0_WP);
	if (cpu % 2 == 0) {
		memcpy(roots[cpu], pml4, sizeof(roots[cpu]));
		write_cr3((u64)roots[cpu]);
	}
	counts[cpu] = 0;
	passes[cpu] = 0;
	asm volatile("sti");
	while (!stop) {
		user(cpu);
		passes[cpu]++;
	}
	asm volatile("cli");
	write_cr3(cr3);
	write_cr0(read_cr0() & ~CR0_WP);
	asm volatile("lidt %0" : : "m"(old));
}

static void add_locked(unsigned cpu)
{
	asm volatile("lock incq %0" : "+m"(*word(PAGE(0), cpu)));
	counts[cpu]++;
}

static void add_plain(unsigned cpu)
{
	asm volatile("incq %0" : "+m"(*word(PAGE(1), cpu)));
	counts[cpu]++;
}

/* What is read only grows, and is never what an unused page has. */
static void read_growing(unsigned cpu)
{
	u64 value = *word(PAGE(2), 0);

	wrong += value == POISON || value < counts[cpu];
	counts[cpu] = value;
	if (passes[cpu] % 32 == 0)
		write_cr3(read_cr3());
}

static void add_by_table(unsigned cpu)
{
	asm volatile("incq %0" : "+m"(*word(LARGE(1) + cpu * 4096, cpu)));
	counts[cpu]++;
}

/* Each page in turn, as soon as it is there; then the next pass. */
static void add_to_each(unsigned cpu)
{
	for (u64 i = 0; i < 32; i++)
		asm volatile("incq %0" : "+m"(*word(PAGE(i), cpu)));
	counts[cpu]++;
	while (!stop && passes[0] <= passes[cpu])
		cpu_relax();
}

/* ---- The CPU that changes them -------------------------------------------------------------- */

/* Invalidate an address, or all if it is 0, on all CPUs. */
static void shoot(u64 va)
{
	smp_address = va;
	smp_acks = 0;
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		apic_send(cpu, SHOOT_VECTOR);
	if (va)
		invlpg(va);
	else
		write_cr3(read_cr3());
	for (unsigned i = 0; i < 100000 && smp_acks < cpus - 1; i++)
		wait_ticks(1000);
	if (smp_acks < cpus - 1)
		bail_out("%u of %u CPUs have invalidated", smp_acks, cpus - 1);
}

static u64 exchange(u64 *entry, u64 value)
{
	return __atomic_exchange_n(entry, value, __ATOMIC_SEQ_CST);
}

/* Move a page that is written all the time: read-only first, then a copy. */
static void move_page(unsigned round)
{
	u64 from = FRAME(round % 4), to = FRAME((round + 1) % 4);

	__atomic_and_fetch(&region[0][0], ~PT_W, __ATOMIC_SEQ_CST);
	shoot(PAGE(0));
	memcpy((void *)to, (void *)from, 64);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		*word(from, cpu) = POISON;
	exchange(&region[0][0], to | ALL);
}

/* A page without the dirty flag, once it is unmapped, has not changed. */
static void clean_page(unsigned round)
{
	static u64 before[MAX_CPUS];
	u64 old = exchange(&region[0][1], 0);

	shoot(PAGE(1));
	wrong += !(old & PT_D) && round && memcmp(before, (void *)FRAME(1), sizeof(before));
	wrong += region[0][1];
	memcpy(before, (void *)FRAME(1), sizeof(before));
	exchange(&region[0][1], FRAME(1) | ALL | PT_A);
}

static void replace_page(unsigned round)
{
	u64 next = FRAME(round % 3), old = region[0][2] & PT_ADDR;

	*word(next, 0) = round + 2;
	exchange(&region[0][2], next | ALL);
	shoot(PAGE(2));
	*word(old, 0) = POISON;
}

/* Take a table away, and use its page for data, which look like entries. */
static void free_table(unsigned round)
{
	u64 *old = spare[round % 4], *next = spare[(round + 1) % 4];

	exchange(&region[1][1], 0);
	shoot(0);
	for (u64 i = 0; i < 8; i++)
		old[i] = FRAME(40 + i) | ALL;
	wait_ticks(2000);
	for (u64 i = 0; i < 8; i++)
		wrong += *(volatile u64 *)&old[i] != (FRAME(40 + i) | ALL);
	for (u64 i = 0; i < 8; i++)
		next[i] = FRAME(i) | ALL;
	exchange(&region[1][1], (u64)next | ALL);
}

/* Make pages present or writable, one after the other, without a word. */
static void give_pages(unsigned round)
{
	for (u64 i = 0; i < 32; i++) {
		exchange(&region[0][i], FRAME(i) | ALL);
		wait_ticks(200);
	}
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		for (unsigned i = 0; i < 10000 && counts[cpu] <= round; i++)
			wait_ticks(1000);
	if (round == GIVE_ROUNDS - 1)
		return;
	for (u64 i = 0; i < 32; i++)
		exchange(&region[0][i], round % 2 ? 0 : FRAME(i) | PT_P | PT_U);
	shoot(0);
	passes[0]++;
}

/* ---- The tests ------------------------------------------------------------------------------ */

/* Let the other CPUs use the tables while this one changes them. */
static bool run(void (*use_them)(unsigned cpu), void (*change)(unsigned round), unsigned rounds)
{
	stop = false;
	wrong = 0;
	smp_faults = 0;
	passes[0] = 0;
	user = use_them;
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		ap_start_job(cpu, use);
	wait_ticks(20000); /* until they have their interrupts on */
	for (unsigned round = 0; round < rounds; round++) {
		change(round);
		wait_ticks(500 + random() % 1000);
	}
	stop = true;
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		if (!ap_wait(cpu))
			bail_out("CPU %u does not come back; %llu page faults", cpu,
				 (unsigned long long)smp_faults);
	say("# %llu page faults; each CPU:", (unsigned long long)smp_faults);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		say(" %llu", (unsigned long long)counts[cpu]);
	say("\n");
	return !wrong && !smp_strange;
}

/* Is in the frame at @frame, or each CPU's own from there on, what the CPUs have counted? */
static bool counted(u64 frame, u64 distance)
{
	bool good = true;

	for (unsigned cpu = 1; cpu < cpus; cpu++)
		good &= *word(frame + cpu * distance, cpu) == counts[cpu] && counts[cpu];
	return good;
}

static void clear_frames(void)
{
	region_reset();
	for (u64 i = 0; i < 64; i++)
		memset((void *)FRAME(i), 0, 64);
}

static void set_gate(unsigned vector, const u8 *handler)
{
	u64 at = (u64)handler;

	idt[vector] = (struct gate){(u16)at, 0x10, 0x8e00, (u16)(at >> 16), (u32)(at >> 32), 0};
}

void check_smp(unsigned n)
{
	struct ap_state state;
	bool good = true;

	cpus = n;
	for (unsigned cpu = 1; cpu < n; cpu++)
		if (!ap_boot(cpu, &state))
			bail_out("CPU %u does not start", cpu);
	for (unsigned v = 0; v < ARRAY_SIZE(idt); v++)
		set_gate(v, smp_other);
	set_gate(PF_VECTOR, smp_page_fault);
	set_gate(SHOOT_VECTOR, smp_shoot);

	clear_frames();
	good = run(add_locked, move_page, ROUNDS);
	ok(good && counted(FRAME(ROUNDS % 4), 0),
	   "a page that is written is moved: no write is lost");

	clear_frames();
	good = run(add_plain, clean_page, ROUNDS);
	ok(good && counted(FRAME(1), 0),
	   "each write to a page sets its dirty flag, or comes too late");

	clear_frames();
	set_entry(&region[0][2], FRAME(2) | ALL);
	*word(FRAME(2), 0) = 1;
	good = run(read_growing, replace_page, ROUNDS);
	ok(good, "a page is replaced: after an IPI nobody reads the old one");

	clear_frames();
	set_entry(&region[1][1], 0);
	good = run(add_by_table, free_table, ROUNDS);
	ok(good && counted(FRAME(0), 4096), "a table is replaced: its page is no longer touched");

	clear_frames();
	memset(region[0], 0, 4096);
	good = run(add_to_each, give_pages, GIVE_ROUNDS);
	for (u64 i = 0; i < 32; i++)
		good &= counted(FRAME(i), 0);
	ok(good, "pages become present and writable without an IPI");
}
