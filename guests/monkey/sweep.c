// SPDX-License-Identifier: MIT
/*
 * The sweep: all CPUID leaves, MSRs, ports, instructions and physical memory, in order.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "guests/lib/guest.h"
#include "guests/monkey/monkey.h"

#define SCRATCH_MAX 16       /* the maximum number of Glasshouse's scratch pages */
#define TEST_WINDOW GIB(510) /* linear address at which memory above 4 GiB is mapped, by 2 MiB */

extern u64 pdpt[512];
static u64 high_pd[512] __aligned(4096);

static void sweep_cpuid(void)
{
	static const struct {
		u32 first, n;
	} ranges[] = {
		{0, 64}, {0x40000000, 0x110}, {0x80000000, 64}, {0xc0000000, 8}, {~0u - 3, 4}};
	static const u32 subleaves[] = {64, 1000, 0x80000000, ~0u};
	u64 n = 0;

	for (unsigned r = 0; r < ARRAY_SIZE(ranges); r++)
		for (u32 i = 0; i < ranges[r].n; i++) {
			for (u32 sub = 0; sub < 32; sub++, n++)
				cpuid(ranges[r].first + i, sub);
			for (unsigned s = 0; s < ARRAY_SIZE(subleaves); s++, n++)
				cpuid(ranges[r].first + i, subleaves[s]);
		}
	ok(true, "CPUID: %llu leaves and subleaves", (unsigned long long)n);
}

/* Write to an MSR whose read faults: most do not exist, some are write-only. */
static unsigned write_unreadable(struct mcpu *m, u32 msr)
{
	const u64 values[] = {0, one_in(m, 2) ? ~0ull : rnd(m)};

	if (msr_rule(msr))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		stream_add(
			m,
			&(struct slot){
				msr, (u32)values[i], (u32)(values[i] >> 32), 0, 2, {0x0f, 0x30}});
	if (m->slots + ARRAY_SIZE(values) > STREAM_SLOTS)
		stream_run(m, 1, false);
	return ARRAY_SIZE(values);
}

/* Write zeroes, ones, the old value with each single bit inverted, and random values. */
static unsigned write_readable(struct mcpu *m, u32 msr, u64 old)
{
	const unsigned n = 64 + 2 + 4;

	for (unsigned i = 0; i < n; i++) {
		u64 value = i < 64 ? old ^ BIT(i) : i == 64 ? 0 : i == 65 ? ~0ull : rnd(m);

		if (try_wrmsr(m, msr, msr_value(msr, value, old), old) == 2)
			bail_out("MSR %x: %llx was written, and %llx cannot be written back", msr,
				 (unsigned long long)value, (unsigned long long)old);
	}
	return n;
}

static void sweep_msrs(struct mcpu *m)
{
	static const struct {
		u32 first, n;
		bool random; /* n random numbers with the bits of first set, instead of a range */
	} ranges[] = {{0, 0x2000, false},
		      {0xc0000000, 0x2000, false},
		      {0x40000000, 0x110, false},
		      {0x10000, 0x1000, true},
		      {0xffffffff, 1, false}};
	unsigned there = 0, all = 0, written = 0;
	u64 value;

	for (unsigned r = 0; r < ARRAY_SIZE(ranges); r++)
		for (u32 i = 0; i < ranges[r].n; i++, all++) {
			u32 msr = ranges[r].random ? (u32)rnd(m) | ranges[r].first
						   : ranges[r].first + i;

			if (do_rdmsr(m, msr, &value) == END_VECTOR) {
				there++;
				written += write_readable(m, msr, value);
			} else {
				written += write_unreadable(m, msr);
			}
		}
	stream_run(m, 1, false);
	ok(there > 16, "MSRs: %u read, %u of them exist; %u writes", all, there, written);
}

/* Reset the devices where it matters: mask interrupt controllers and DMA, disable the disks'
 * interrupts, restore COM2. */
static void quiet_devices(const u8 com2[5])
{
	static const struct {
		u16 port;
		u8 value;
	} writes[] = {
		{0x20, 0x11}, {0x21, 0x20}, {0x21, 4},     {0x21, 1},    {0x21, 0xff}, {0xa0, 0x11},
		{0xa1, 0x28}, {0xa1, 2},    {0xa1, 1},     {0xa1, 0xff}, {0x0d, 0},    {0x0f, 0xf},
		{0xda, 0},    {0xde, 0xf},  {0x3f6, 6},    {0x3f6, 2},   {0x376, 6},   {0x376, 2},
		{0x3f2, 0},   {0x70, 0xd},  {0x2fb, 0x83},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++)
		outb(writes[i].port, writes[i].value);
	outb(0x2f8, com2[0]);
	outb(0x2f9, com2[1]);
	outb(0x2fb, com2[2]);
	outb(0x2f9, com2[3]);
	outb(0x2fa, 7);
	outb(0x2fc, com2[4]);
}

static void read_com2(u8 com2[5])
{
	com2[2] = inb(0x2fb);
	com2[3] = inb(0x2f9);
	com2[4] = inb(0x2fc);
	outb(0x2fb, com2[2] | 0x80);
	com2[0] = inb(0x2f8);
	com2[1] = inb(0x2f9);
	outb(0x2fb, com2[2]);
}

/* Read and write each port; write 2 and 4 bytes only where no port concerned has a rule. */
static void sweep_ports(struct mcpu *m)
{
	unsigned written = 0, never = 0;
	u8 com2[5];

	read_com2(com2);
	/* End the floppy controller's reset, and wait until it is ready. */
	outb(0x3f2, 4);
	wait_ticks(1000000);
	/* Select a read-only PCI register for the writes to the data port. */
	outl(0xcf8, BIT(31));
	for (u32 port = 0; port < 0x10000; port++) {
		u64 value = rnd(m);
		int byte = port_value(port, (u8)value);

		if (port_rule(port))
			say("# not every value is written to port %x: %s\n", port, port_rule(port));
		inb((u16)port);
		inw((u16)port);
		inl((u16)port);
		if (byte < 0) {
			never++;
			continue;
		}
		outb((u16)port, (u8)byte);
		written++;
		if (!has_rule(port)) {
			outw((u16)port, (u16)value);
			outl((u16)port, (u32)value);
		}
	}
	quiet_devices(com2);
	ok(written + never == 65536, "ports: 65536 read by 1, 2 and 4 bytes, %u written, %u not",
	   written, never);
}

/* Each instruction of the table, in each ring and code size of long mode. */
static void sweep_long_mode(struct mcpu *m, unsigned rounds)
{
	unsigned n = 0;

	for (unsigned bits = 16; bits <= 64; bits *= 2)
		for (unsigned ring = 0; ring < 4; ring++)
			for (unsigned i = 0; i < rounds * nr_insns; i++)
				n += run_insn(m, &insns[i % nr_insns], ring, bits);
	ok(true, "64-bit and compatibility mode, all rings: %u instructions", n);
}

/*
 * Write to each page of Glasshouse's memory that may not be read, which must read as ones before
 * and after. Returns the number of pages that do not: PUSH and similar instructions write to a
 * scratch page, which is mapped for a while.
 */
static unsigned sweep_hidden(void)
{
	unsigned other = 0;

	for (unsigned i = 0; i < nr_holes; i++)
		for (u64 a = holes[i].start; a < holes[i].start + holes[i].size; a += 4096) {
			volatile u64 *p = (volatile u64 *)(a + a / 4096 * 8 % 4096);
			u64 before = *p;

			if (is_readable(a))
				continue;
			*p = 0x0123456789abcdef;
			other += before != ~0ull || *p != ~0ull;
		}
	return other;
}

static void sweep_low(void)
{
	volatile u32 *p;
	u64 pages = 0;

	for (u64 a = 0; a < GIB(4); a += 4096, pages++) {
		if (a >= 0xc0000000 && a < 0xc0200000)
			continue; /* the windows are mapped there */
		p = (volatile u32 *)a;
		(void)*p;
		/* Between RAM and the devices, which neither uses. */
		if (a >= GIB(2) && a < GIB(3))
			*p = (u32)a;
	}
	ok(true, "memory: %llu pages below 4 GiB read", (unsigned long long)pages);
}

/* From 4 GiB to the highest address of the CPU. An access that cannot be mapped may fault. */
static void sweep_high(struct mcpu *m)
{
	static const u8 load[] = {0x48, 0x8b, 0x07}, store[] = {0x48, 0x89, 0x07};
	u64 bits = cpuid(0x80000008, 0).eax & 0xff, end = BIT(MIN(bits, 52)), seen = 0, ok_here = 0;

	pdpt[TEST_WINDOW / GIB(1)] = (u64)high_pd | 7;
	for (u64 a = GIB(4); a < end; a += a < GIB(1024) ? GIB(1) : GIB(64), seen++) {
		high_pd[0] = a | 0x83;
		write_cr3(read_cr3());
		m->in[RDI] = TEST_WINDOW + 8;
		m->in[RAX] = a;
		ok_here += run_code(m, store, sizeof(store), 0, 64)->vector == END_VECTOR;
		m->in[RDI] = TEST_WINDOW + MIB(2) - 8;
		run_code(m, load, sizeof(load), 0, 64);
	}
	pdpt[TEST_WINDOW / GIB(1)] = 0;
	write_cr3(read_cr3());
	ok(true, "memory: %llu steps above 4 GiB, %llu of them without a fault",
	   (unsigned long long)seen, (unsigned long long)ok_here);
}

void sweep(struct mcpu *m, unsigned rounds)
{
	sweep_cpuid();
	sweep_msrs(m);
	sweep_ports(m);
	ok(!sweep_hidden(), "Glasshouse's memory: reads as ones, and cannot be written");
	sweep_low();
	sweep_long_mode(m, rounds);
	legacy_sweep(m, rounds);
	sweep_high(m);
	ok(sweep_hidden() <= SCRATCH_MAX, "Glasshouse's memory: still so after the instructions");
}
