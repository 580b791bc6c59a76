// SPDX-License-Identifier: MIT
/*
 * Measures operations in ring 0, in ticks. Prints a line "bench NAME TICKS" for each: the average
 * of many, in the fastest of several rounds, including the loop (2 ticks). Runs without Glasshouse,
 * too, for comparison. With the parameters cpuids=N leaf=L it only executes CPUID N times.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"

#define ROUNDS 5
#define LOOPS  1000

typedef void (*bench_fn)(unsigned loops);

static void measure(const char *name, bench_fn fn, unsigned loops)
{
	u64 best = ~0ull;

	for (int i = 0; i < ROUNDS; i++) {
		u64 start = rdtsc(), ticks;

		fn(loops);
		ticks = rdtsc() - start;
		best = MIN(best, ticks);
	}
	say("bench %s %llu\n", name, (unsigned long long)(best / loops));
}

static void bench_cpuid(unsigned loops)
{
	asm volatile("1: xor %%eax, %%eax\n\tcpuid\n\tdec %%esi\n\tjnz 1b"
		     : "+S"(loops)
		     :
		     : "rax", "rbx", "rcx", "rdx");
}

static void bench_rdmsr(unsigned loops)
{
	asm volatile("mov %1, %%ecx\n1:\trdmsr\n\tdec %%esi\n\tjnz 1b"
		     : "+S"(loops)
		     : "i"(MSR_IA32_FEAT_CTL)
		     : "rax", "rcx", "rdx");
}

/* To the task priority: trapped while the hypervisor keeps the ICR. */
static void bench_apic_write(unsigned loops)
{
	while (loops--)
		apic_write(0x80, 0);
}

/* The ticks include the guest's own #UD handler. */
static void bench_vmcall(unsigned loops)
{
	while (loops--)
		TRY("vmcall", : : "a"(0x1234) : "r11", "memory");
}

static void bench_nmi(unsigned loops)
{
	while (loops--) {
		u64 before = trap.nmis;

		apic_send(apic_id(), ICR_NMI);
		while (trap.nmis == before)
			cpu_relax();
	}
}

/* Addresses above RAM that no memory map describes, each in another GiB. */
static void bench_first_touch(unsigned loops)
{
	static u64 next = GIB(4);

	while (loops--) {
		(void)*(volatile u32 *)next;
		next += GIB(1);
	}
}

void guest_main(void)
{
	unsigned cpuids = (unsigned)param_number("cpuids", 0);

	if (cpuids) {
		for (unsigned leaf = (unsigned)param_number("leaf", 0); cpuids; cpuids--)
			cpuid(leaf, 0);
		say("bench end 0\n");
		return;
	}
	apic_init(false);
	map_above_4g();
	measure("cpuid", bench_cpuid, LOOPS);
	measure("rdmsr", bench_rdmsr, LOOPS);
	measure("apic-write", bench_apic_write, LOOPS);
	measure("vmcall", bench_vmcall, 100);
	measure("nmi", bench_nmi, 100);
	measure("first-touch", bench_first_touch, 50);
	say("bench end 0\n");
}
