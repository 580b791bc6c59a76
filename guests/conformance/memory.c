// SPDX-License-Identifier: MIT
/*
 * Page faults with exact error codes, and the memory that Glasshouse hides. SDM: "Page-Fault
 * Exceptions", "Interrupt 14: Page-Fault Exception (#PF)".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "lib/string.h"

#define PF_P    BIT(0)
#define PF_W    BIT(1)
#define PF_RSVD BIT(3)
#define PF_I    BIT(4)

static u8 page[8192] __aligned(4096);

static bool faults(u64 vector, u64 address, u64 code)
{
	return vector == PF_VECTOR && trap.cr2 == address && trap.error == code;
}

#define TRY_READ(a)  TRY("movb (%0), %%al", : : "r"(a) : "r11", "rax", "memory")
#define TRY_WRITE(a) TRY("movb $0x77, (%0)", : : "r"(a) : "r11", "memory")
#define TRY_RUN(a)   TRY("call *%0", : : "r"(a) : "r11", "rax", "memory")

static void check_page_faults(unsigned cpu)
{
	u64 at = TEST_PAGES + 0x123, cr0 = read_cr0();
	u64 here = (u64)page, rsp_before, rsp_after;

	page[0x123] = 0xc3;
	set_page(0, 0);
	set_page(1, here + 0x1000 + 3);
	ok(faults(TRY_READ(at), at, 0), "cpu %u: #PF: read of nothing", cpu);
	ok(faults(TRY_WRITE(at), at, PF_W), "cpu %u: #PF: write to nothing", cpu);
	set_page(0, here + 1);
	write_cr0(cr0 | CR0_WP);
	ok(TRY_READ(at) == NO_TRAP, "cpu %u: a read-only page can be read", cpu);
	ok(faults(TRY_WRITE(at), at, PF_P | PF_W), "cpu %u: #PF: write to a read-only page", cpu);
	write_cr0(cr0 & ~CR0_WP);
	ok(TRY_WRITE(at) == NO_TRAP && page[0x123] == 0x77,
	   "cpu %u: without CR0.WP it can be written", cpu);
	write_cr0(cr0);
	page[0x123] = 0xc3;
	set_page(0, here + 3 + BIT(63));
	asm volatile("mov %%rsp, %0" : "=r"(rsp_before));
	ok(faults(TRY_RUN(at), at, PF_P | PF_I), "cpu %u: #PF: execution of data", cpu);
	asm volatile("mov %%rsp, %0" : "=r"(rsp_after));
	/* Remove the return address that CALL has pushed. */
	asm volatile("add %0, %%rsp" : : "r"(rsp_before - rsp_after) : "memory");
	set_page(0, here + 3 + BIT(51));
	ok(faults(TRY_READ(at), at, PF_P | PF_RSVD), "cpu %u: #PF: a reserved bit", cpu);
	/* 8 bytes that begin in a present page and end in one that is not present. */
	set_page(0, here + 3);
	set_page(1, 0);
	ok(faults(TRY("movq (%0), %%rax",
		      :
		      : "r"(TEST_PAGES + 0xffc)
		      : "r11", "rax", "memory"),
		  TEST_PAGES + 0x1000, 0),
	   "cpu %u: #PF: the second half of a read", cpu);
	set_page(0, 0);
}

/* Many page faults. After each, the page is mapped, as an OS does. */
static void check_demand_paging(unsigned cpu)
{
	u64 sum = 0;

	for (unsigned i = 0; i < 512; i++)
		set_page(i, 0);
	for (unsigned i = 0; i < 512; i++) {
		u64 at = TEST_PAGES + i * 4096ull;

		if (faults(TRY_WRITE(at), at, PF_W)) {
			set_page(i, (u64)page + 3);
			sum += TRY_WRITE(at) == NO_TRAP;
		}
	}
	ok(sum == 512, "cpu %u: 512 pages on demand", cpu);
	for (unsigned i = 0; i < 512; i++)
		set_page(i, 0);
}

static void check_hole(unsigned cpu)
{
	struct e820_entry e;
	bool ones = true;

	if (!under_hypervisor || !hidden_range(0, &e)) {
		ok(!under_hypervisor, "cpu %u: the memory map reserves Glasshouse's memory", cpu);
		skip("no hypervisor", "cpu %u: Glasshouse's memory reads as ones", cpu);
		return;
	}
	say("# hole %llx %llx\n", (unsigned long long)e.start,
	    (unsigned long long)(e.start + e.size - 1));
	ok(true, "cpu %u: the memory map reserves Glasshouse's memory", cpu);
	for (u64 at = e.start; at < e.start + e.size; at += 65536) {
		volatile u64 *p = (volatile u64 *)at;

		if (is_readable(at))
			continue;
		ones &= *p == ~0ull;
		*p = 0x123456789abcdef0;
		*(volatile u8 *)(at + 5) = 0;
		asm volatile("lock incl %0" : "+m"(*p));
		ones &= *p == ~0ull && *(volatile u16 *)(at + 3) == 0xffff;
	}
	ok(ones, "cpu %u: Glasshouse's memory reads as ones", cpu);
}

#define TEST_TABLE (TEST_PAGES + GIB(1)) /* what the log maps, if it is a page table */
extern u64 pdpt[512];                    /* guests/lib/head.S */

#define PUSH_AT(a)                                                              \
	TRY("mov %%rsp, %%r12\n\tmov %0, %%rsp\n\tpush %1\n\tmov %%r12, %%rsp", \
	    :                                                                   \
	    : "r"(a), "r"(OTHER)                                                \
	    : "r11", "r12", "memory")
#define OTHER 0xa5a5a5a5a5a5a5a5 /* no text */

/* No byte of the log's page at @page but its header's is anything else than text. */
static bool is_text(u64 page)
{
	bool text = true;

	for (u64 i = sizeof(struct log_ring); i < 4096; i++)
		text &= *(volatile u8 *)(page + i) < 0x80;
	return text;
}

static bool is_magic(u64 log)
{
	return !memcmp((const void *)log, LOG_RING_MAGIC, sizeof(LOG_RING_MAGIC));
}

/* Writes of several kinds to the log's page at @page; also a read that is part of one. */
static bool write_log_page(u64 page)
{
	volatile u64 *p = (volatile u64 *)(page + 8);
	u64 old = *p, added = OTHER;

	asm volatile("lock xaddq %0, %1" : "+r"(added), "+m"(*p));
	*p = OTHER;
	p[64] = OTHER;
	*(volatile u8 *)(page + 0x800) = 0xa5;
	asm volatile("lock btsq $7, %0" : "+m"(p[65]));
	return (added == old || *p != old) && is_text(page); /* or Glasshouse added a line */
}

/* The log can be read; otherwise it is as the rest of Glasshouse's memory, and no code. */
static void check_log(unsigned cpu)
{
	u64 size, log = find_log(LOG_RING_NOW, &size), rsp, rsp_after, trap_rip, vector;
	const struct e820_entry *e;
	bool reserved = false, kept = true;

	if (!log) {
		ok(!under_hypervisor, "cpu %u: CPUID names Glasshouse's log", cpu);
		for (unsigned i = 0; i < 5; i++)
			skip("no hypervisor", "cpu %u: Glasshouse's log", cpu);
		return;
	}
	for (unsigned i = 0; (e = e820_entry(i)); i++)
		reserved |= e->type == 2 && log >= e->start && log + size <= e->start + e->size;
	ok(reserved && is_magic(log), "cpu %u: CPUID names Glasshouse's log", cpu);
	for (u64 at = log; at < log + size; at += 4096)
		kept &= write_log_page(at);
	ok(kept && is_magic(log), "cpu %u: Glasshouse's log can be read only", cpu);

	asm volatile("mov %%rsp, %0" : "=r"(rsp));
	vector = TRY_RUN(log);
	trap_rip = trap.rip;
	asm volatile("mov %%rsp, %0" : "=r"(rsp_after));
	asm volatile("add %0, %%rsp" : : "r"(rsp - rsp_after) : "memory");
	ok(vector == GP_VECTOR && trap_rip == log, "cpu %u: #GP: execution of the log", cpu);

	/* An entry that is text has reserved bits. */
	pdpt[TEST_TABLE >> 30] = log + 7;
	ok(faults(TRY_READ(TEST_TABLE), TEST_TABLE, PF_P | PF_RSVD),
	   "cpu %u: #PF: the log as a page table", cpu);
	pdpt[TEST_TABLE >> 30] = 0;
	write_cr3(read_cr3());

	/* A PUSH gets a scratch page, only for that instruction. */
	ok(PUSH_AT(log + 0x800) == NO_TRAP && is_magic(log) && is_text(log),
	   "cpu %u: after a PUSH the log is still there", cpu);
	kept = true;
	for (unsigned i = 2; i < 16; i++)
		kept &= PUSH_AT(hidden_page(i) + 0x800) == NO_TRAP;
	ok(kept && is_magic(log) && is_text(log), "cpu %u: and the PUSH had no effect", cpu);
}

/*
 * PUSH to several 2-MiB blocks of Glasshouse's memory in turn. Each PUSH gets a scratch page, which
 * Glasshouse must reuse: these are more PUSHes than it has pages. Needs its option reserve=32M.
 */
void check_pushes(void)
{
	struct e820_entry e = {0}, other;
	unsigned faults = 0;

	for (unsigned i = 0; hidden_range(i, &other); i++)
		if (other.size > e.size)
			e = other;
	for (unsigned i = 0; e.size && i < 10000; i++) {
		u64 at = ALIGN_UP(e.start, MIB(2)) + i % 12 * MIB(2) + 64;

		faults += PUSH_AT(at) != NO_TRAP;
	}
	ok(e.size >= MIB(26), "Glasshouse's memory is large");
	ok(!faults, "10000 PUSHes to our memory go nowhere");
	say("# %u faults\n", faults);
}

#define AT_EDGE (TEST_PAGES + 4096 - 4) /* 8 bytes: 4 on the first test page, 4 on the next */

/* The 4 bytes of our own at the edge, before and after it. */
static volatile u32 *own_half(bool first)
{
	return (volatile u32 *)(page + (first ? 4092 : 0));
}

/* Map a page of our own and a hidden one after it or before it; then prepare our half. */
static volatile u32 *map_edge(u64 hidden, bool first)
{
	set_page(!first, (u64)page + 3);
	set_page(first, hidden + 3);
	*own_half(first) = 0x11111111;
	return own_half(first);
}

/* Accesses of which Glasshouse's memory has a half: the other half is written. */
static void check_edge(unsigned cpu)
{
	u64 hidden = under_hypervisor ? hidden_page(1) : 0, value = 0x5555555544444444, at;
	u64 cr4 = read_cr4();

	if (!hidden)
		skip("no hypervisor", "cpu %u: writes to an edge of Glasshouse's memory", cpu);
	write_cr4(cr4 | CR4_OSFXSR);
	for (unsigned first = 0; first < 2 && hidden; first++) {
		volatile u32 *own = map_edge(hidden, first);
		u32 half = first ? 0x44444444 : 0x55555555;
		const char *where = first ? "ends" : "begins";

		TRY("movq %1, (%0)", : : "r"(AT_EDGE), "r"(value) : "r11", "memory");
		ok(*own == half, "cpu %u: MOV that %s in Glasshouse's memory", cpu, where);
		map_edge(hidden, first);
		TRY("movq %1, %%xmm0; movups %%xmm0, (%0)",
		    :
		    : "r"(AT_EDGE), "r"(value)
		    : "r11", "memory");
		ok(*own == half, "cpu %u: MOVUPS that %s there", cpu, where);
		map_edge(hidden, first);
		at = AT_EDGE;
		TRY("stosq", : "+D"(at) : "a"(value) : "r11", "memory");
		ok(*own == half, "cpu %u: STOS that %s there", cpu, where);
		map_edge(hidden, first);
		TRY("lock orq %1, (%0)", : : "r"(AT_EDGE), "r"(value) : "r11", "memory");
		ok(*own == 0x55555555, "cpu %u: LOCK OR that %s there", cpu, where);
		map_edge(hidden, first);
		*own = 0xeeeeeeee;
		at = AT_EDGE + 2;
		TRY("insl", : "+D"(at) : "d"(0x64) : "r11", "memory");
		ok(*own != 0xeeeeeeee, "cpu %u: INS that %s there", cpu, where);
	}
	write_cr4(cr4);
	set_page(0, 0);
	set_page(1, 0);
}

static u32 cmos(u8 first, unsigned bytes)
{
	u32 value = 0;

	for (unsigned i = 0; i < bytes; i++) {
		outb(0x70, (u8)(first + i));
		value |= (u32)inb(0x71) << 8 * i;
	}
	return value;
}

/* No RAM that the CMOS RAM counts from @start on is reserved between @from and @end. */
static bool counts_no_hidden(u64 start, u64 size, u64 from, u64 end)
{
	const struct e820_entry *e;

	for (unsigned i = 0; (e = e820_entry(i)); i++)
		if (e->type == 2 && e->start >= from && e->start < end &&
		    ranges_overlap(start, size, e->start, e->size))
			return false;
	return true;
}

/* Kernels that size memory by the CMOS RAM do not find Glasshouse's. Bochs' firmware reserves
 * memory only from the EBDA on, and at the end of all RAM. */
static void check_cmos(void)
{
	u64 base = cmos(0x15, 2) * KIB(1), old = cmos(0x17, 2) * KIB(1);
	u64 extended = cmos(0x30, 2) * KIB(1), high = cmos(0x34, 2) * KIB(64);
	u64 end = MIB(16) + high - KIB(64);

	say("# CMOS: %lx, %lx, %lx, %lx\n", base, old, extended, high);
	ok(base >= KIB(256) && counts_no_hidden(0, base, KIB(256), 0x9f000),
	   "CMOS counts no memory of Glasshouse's below 640 KiB");
	ok(extended >= MIB(15) && counts_no_hidden(MIB(1), extended, MIB(1), end) &&
		   old == extended,
	   "nor above 1 MiB");
	ok(high >= MIB(16) && counts_no_hidden(MIB(16), high, MIB(1), end), "nor above 16 MiB");
}

void check_memory(unsigned cpu)
{
	if (!cpu)
		check_cmos();
	check_page_faults(cpu);
	check_demand_paging(cpu);
	check_hole(cpu);
	check_log(cpu);
	check_edge(cpu);
}
