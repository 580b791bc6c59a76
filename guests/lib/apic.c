// SPDX-License-Identifier: MIT
/*
 * The local APIC in xAPIC and x2APIC mode, and the start of other CPUs. SDM: "Advanced Programmable
 * Interrupt Controller (APIC)", "MP Initialization Protocol".
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "lib/string.h"

#define XAPIC 0xfee00000ull

static bool x2;

extern const u8 ap_start[], ap_end[];
extern const u32 ap_state_offset;
extern u8 *ap_stack;
void guest_ap_start(void);
void trap_init(void);

static u8 stacks[MAX_CPUS][8192] __aligned(16);
static void (*volatile jobs[MAX_CPUS])(unsigned cpu);
static volatile bool present[MAX_CPUS];

u32 apic_read(u32 offset)
{
	return x2 ? (u32)rdmsr(MSR_X2APIC_BASE + offset / 16)
		  : mmio_read32((void *)(XAPIC + offset));
}

void apic_write(u32 offset, u32 value)
{
	if (x2)
		wrmsr(MSR_X2APIC_BASE + offset / 16, value);
	else
		mmio_write32((void *)(XAPIC + offset), value);
}

u32 apic_id(void)
{
	return x2 ? apic_read(0x20) : apic_read(0x20) >> 24;
}

void apic_send(u32 id, u32 low)
{
	if (x2) {
		wrmsr(MSR_X2APIC_ICR, (u64)id << 32 | low);
		return;
	}
	apic_write(0x310, id << 24);
	apic_write(0x300, low);
	while (apic_read(0x300) & BIT(12))
		cpu_relax();
}

void apic_init(bool x2apic)
{
	u64 base = rdmsr(MSR_IA32_APICBASE) | APICBASE_ENABLE;

	x2 = x2apic;
	wrmsr(MSR_IA32_APICBASE, base | (x2 ? APICBASE_EXTD : 0));
	apic_write(0xf0, 0x1ff); /* enable; spurious vector 255 */
	apic_write(0x80, 0);     /* TPR: accept every priority */
}

void wait_ticks(u64 ticks)
{
	u64 start = rdtsc();

	while (rdtsc() - start < ticks)
		cpu_relax();
}

/* Wait until *@flag is @wanted. Returns false on a time-out. */
static bool wait_for(volatile bool *flag, bool wanted)
{
	for (unsigned i = 0; i < 1000 && *flag != wanted; i++)
		wait_ticks(100000);
	return *flag == wanted;
}

static void prepare_start(unsigned cpu)
{
	memcpy((void *)AP_BASE, ap_start, (size_t)(ap_end - ap_start));
	ap_stack = stacks[cpu] + sizeof(stacks[cpu]);
	present[cpu] = false;
}

/* Send INIT to @cpu and, after @ticks, a SIPI; if @nmi, an NMI between them. */
static void init_sipi(unsigned cpu, u64 ticks, bool nmi)
{
	prepare_start(cpu);
	apic_send(cpu, ICR_INIT);
	wait_ticks(ticks);
	if (nmi) {
		apic_send(cpu, ICR_NMI);
		wait_ticks(ticks);
	}
	apic_send(cpu, ICR_STARTUP | AP_BASE >> 12);
}

bool ap_boot_once(unsigned cpu, u64 ticks, bool nmi)
{
	init_sipi(cpu, ticks, nmi);
	return wait_for(&present[cpu], true);
}

bool ap_boot_stopped(unsigned cpu)
{
	prepare_start(cpu);
	apic_send(cpu, ICR_STARTUP | AP_BASE >> 12);
	return wait_for(&present[cpu], true);
}

bool ap_boot(unsigned cpu, struct ap_state *state)
{
	u8 *page = (u8 *)AP_BASE;

	if (cpu >= MAX_CPUS)
		return false;
	init_sipi(cpu, 500000, false); /* 10 ms in Bochs, as the SDM's protocol says */
	wait_ticks(10000);
	if (!present[cpu])
		apic_send(cpu, ICR_STARTUP | AP_BASE >> 12);
	if (!wait_for(&present[cpu], true))
		return false;
	memcpy(state, page + ap_state_offset, sizeof(*state));
	return true;
}

void ap_start_job(unsigned cpu, void (*fn)(unsigned cpu))
{
	jobs[cpu] = fn;
}

bool ap_wait(unsigned cpu)
{
	for (unsigned i = 0; i < 10000 && jobs[cpu]; i++)
		wait_ticks(100000);
	return !jobs[cpu];
}

bool ap_run(unsigned cpu, void (*fn)(unsigned cpu))
{
	ap_start_job(cpu, fn);
	return ap_wait(cpu);
}

/* A started CPU comes here, in long mode on its own stack, and waits for jobs. */
void guest_ap_start(void)
{
	unsigned cpu;

	trap_init();
	apic_init(x2);
	cpu = apic_id();
	present[cpu] = true;
	for (;;) {
		if (jobs[cpu]) {
			jobs[cpu](cpu);
			jobs[cpu] = NULL;
		}
		cpu_relax();
	}
}
