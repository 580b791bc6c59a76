/* SPDX-License-Identifier: MIT */
/*
 * Access the local APIC of the current CPU.
 */
#include "arch/x86/lapic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "errno.h"

static u8 *page;

int lapic_init(u64 pa)
{
	page = ioremap(pa, PAGE_SIZE);
	return page ? 0 : -ENOMEM;
}

void lapic_set_mode(u64 bit)
{
	wrmsr(MSR_IA32_APICBASE, rdmsr(MSR_IA32_APICBASE) | bit);
}

bool lapic_is_on(void)
{
	return rdmsr(MSR_IA32_APICBASE) & APICBASE_ENABLE;
}

bool lapic_is_x2apic(void)
{
	return rdmsr(MSR_IA32_APICBASE) & APICBASE_EXTD;
}

u32 lapic_id(void)
{
	u32 id = lapic_read(LAPIC_ID);

	return lapic_is_x2apic() ? id : id >> 24;
}

u32 lapic_read(u32 offset)
{
	return lapic_is_x2apic() ? (u32)rdmsr(LAPIC_MSR(offset)) : mmio_read32(page + offset);
}

void lapic_write(u32 offset, u32 value)
{
	if (lapic_is_x2apic())
		wrmsr(LAPIC_MSR(offset), value);
	else
		mmio_write32(page + offset, value);
}

/* The wait is bounded: an APIC that the guest has disabled may read as busy for ever. */
static void wait_idle(void)
{
	for (unsigned i = 0; i < 100000 && mmio_read32(page + LAPIC_ICR) & ICR_BUSY; i++)
		cpu_relax();
}

bool lapic_send_ipi(u32 icr, u32 dest)
{
	u32 saved;

	/* Switched off by the guest, it sends nothing; in xAPIC mode it cannot address all CPUs. */
	if (!lapic_is_on() || (!lapic_is_x2apic() && dest > 0xff))
		return false;
	if (lapic_is_x2apic()) {
		/* This WRMSR is not serializing: make earlier writes visible to the receiver first.
		 */
		asm volatile("mfence; lfence" : : : "memory");
		wrmsr(LAPIC_MSR(LAPIC_ICR), (u64)dest << 32 | icr);
		return true;
	}
	/* The guest may be between its writes to the two halves of ICR: restore its high half. */
	wait_idle();
	saved = mmio_read32(page + LAPIC_ICR_HI);
	mmio_write32(page + LAPIC_ICR_HI, dest << 24);
	mmio_write32(page + LAPIC_ICR, icr);
	wait_idle();
	mmio_write32(page + LAPIC_ICR_HI, saved);
	return true;
}

bool lapic_send_nmi(u32 dest)
{
	return lapic_send_ipi(ICR_DELIVERY_NMI << 8 | (u32)ICR_ASSERT, dest);
}

static bool in_service(void)
{
	u32 any = 0;

	for (unsigned i = 0; i < 8; i++)
		any |= lapic_read(LAPIC_ISR + i * 16);
	return any;
}

void lapic_disable(void)
{
	if (lapic_is_on())
		lapic_write(LAPIC_SVR, 0xff);
}

void lapic_init_reset(void)
{
	static const u16 lvt[] = {LAPIC_TIMER, LAPIC_LINT0, LAPIC_LINT1, LAPIC_ERROR};
	u32 max_lvt;

	if (!lapic_is_on())
		return;
	max_lvt = lapic_read(LAPIC_VERSION) >> 16 & 0xff;
	for (unsigned i = 0; i < ARRAY_SIZE(lvt); i++)
		lapic_write(lvt[i], 0x10000);
	if (max_lvt >= 4)
		lapic_write(LAPIC_PERF, 0x10000);
	if (max_lvt >= 5)
		lapic_write(LAPIC_THERMAL, 0x10000);
	if (max_lvt >= 6)
		lapic_write(LAPIC_CMCI, 0x10000);
	lapic_write(LAPIC_TMICT, 0);
	lapic_write(LAPIC_TDCR, 0);
	lapic_write(LAPIC_TPR, 0);
	for (unsigned i = 0; i < 256 && in_service(); i++)
		lapic_write(LAPIC_EOI, 0);
	if (!lapic_is_x2apic()) {
		lapic_write(LAPIC_LDR, 0);
		lapic_write(LAPIC_DFR, 0xffffffff);
	}
	lapic_disable();
}
