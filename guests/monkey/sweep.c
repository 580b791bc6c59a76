// SPDX-License-Identifier: MIT
/*
 * Everything once, in order: CPUID, MSRs, ports, physical memory.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "guests/lib/guest.h"
#include "guests/monkey/monkey.h"

#define SINKS       16       /* at most */
#define TEST_WINDOW GIB(510) /* linear: where memory above 4 GiB is looked at, 2 MiB at a time */

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

/* Each is read, and what can be read is written back. */
static void sweep_msrs(struct mcpu *m)
{
	static const struct {
		u32 first, n;
	} ranges[] = {{0, 0x2000}, {0xc0000000, 0x2000}, {0x40000000, 0x110}};
	unsigned there = 0, all = 0;
	u64 value;

	for (unsigned r = 0; r < ARRAY_SIZE(ranges); r++)
		for (u32 i = 0; i < ranges[r].n; i++, all++) {
			u32 msr = ranges[r].first + i;

			if (do_rdmsr(m, msr, &value) != END_VECTOR)
				continue;
			there++;
			if (may_write_msr(msr))
				do_wrmsr(m, msr, value);
		}
	ok(there > 16, "MSRs: %u read, %u of them are there and written back", all, there);
}

/* Each is read in all sizes; what is read is written back where that is not a command. */
static void sweep_ports(void)
{
	unsigned written = 0;

	for (u32 port = 0; port < 0x10000; port++) {
		u8 value = inb((u16)port);

		inw((u16)port);
		inl((u16)port);
		if (may_write_port(port)) {
			outb((u16)port, value);
			written++;
		}
	}
	ok(true, "ports: 65536 read by 1, 2 and 4 bytes, %u written", written);
}

/*
 * Each page of Glasshouse's memory is written, and reads as ones. Returns how many do not: what
 * PUSH and the like have written may stay in a few of them for a while.
 */
static unsigned sweep_hidden(void)
{
	unsigned other = 0;

	for (unsigned i = 0; i < nr_holes; i++)
		for (u64 a = holes[i].start; a < holes[i].start + holes[i].size; a += 4096) {
			volatile u64 *p = (volatile u64 *)(a + a / 4096 * 8 % 4096);
			u64 before = *p;

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
			continue; /* the monkey's window: something else is mapped there */
		p = (volatile u32 *)a;
		(void)*p;
		/* Nobody's: between RAM and the devices. */
		if (a >= GIB(2) && a < GIB(3))
			*p = (u32)a;
	}
	ok(true, "memory: %llu pages below 4 GiB read", (unsigned long long)pages);
}

/* From 4 GiB on, up to what the CPU can address; what cannot be mapped may be a fault. */
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
	sweep_ports();
	ok(!sweep_hidden(), "Glasshouse's memory: reads as ones, and cannot be written");
	sweep_low();
	legacy_sweep(m, rounds);
	sweep_high(m);
	ok(sweep_hidden() <= SINKS, "Glasshouse's memory: so it is still");
}
