/* SPDX-License-Identifier: MIT */
/*
 * Start the other CPUs by INIT-SIPI-SIPI. All share one wait after INIT; SIPIs go to one CPU at a
 * time.
 */
#include "arch/x86/smp.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/early.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/trampoline.h"
#include "arch/x86/trap.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/string.h"

struct cpu *cpus[MAX_CPUS];
unsigned nr_cpus;
bool smp_x2apic;

_Static_assert(offsetof(struct cpu, self) == 0, "this_cpu() reads %gs:0");
_Static_assert(sizeof(struct cpu) <= PAGE_SIZE, "struct cpu takes one page");

#define CHECK(offset, member) \
	_Static_assert(offsetof(struct trampoline_data, member) == (offset), #member)
CHECK(TRAMPOLINE_BOOT_CR3, boot_cr3);
CHECK(TRAMPOLINE_ENTRY, entry);
CHECK(TRAMPOLINE_CR3, cr3);
CHECK(TRAMPOLINE_STACK_TOP, stack_top);
CHECK(TRAMPOLINE_CPU, cpu);
CHECK(TRAMPOLINE_MAIN, main);
_Static_assert(sizeof(struct trampoline_data) == TRAMPOLINE_DATA_SIZE, "trampoline.S reserves it");

struct cpu *cpu_create(u32 apic_id)
{
	struct cpu *cpu = nr_cpus < MAX_CPUS ? page_alloc() : NULL;

	if (!cpu)
		return NULL;
	cpu->apic_id = apic_id;
	cpu->stack_top = stack_alloc(CPU_STACK_PAGES);
	if (!cpu->stack_top || desc_init(cpu))
		return NULL;
	cpu->id = nr_cpus;
	cpus[nr_cpus++] = cpu;
	return cpu;
}

void cpu_init_registers(void)
{
	/* Without MCE a machine check shuts the CPU down. All 64-bit CPUs have MCE. */
	u64 cr4 = CR4_PAE | CR4_MCE;

	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	/* For XSETBV, which Glasshouse emulates in root mode. */
	if (cpuid(1, 0).ecx & BIT(26))
		cr4 |= CR4_OSXSAVE;
	/* fpu_store() executes SSE instructions for the guest. All CPUs with 64-bit mode have them.
	 */
	cr4 |= CR4_OSFXSR;
	if (cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & BIT(7))
		cr4 |= CR4_SMEP;
	write_cr4(cr4);
}

void smp_set_apic_mode(void)
{
	lapic_set_mode(APICBASE_ENABLE);
	/* Some emulators do not switch it on again. */
	if (smp_x2apic && lapic_is_on())
		lapic_set_mode(APICBASE_EXTD);
}

void ap_main(struct cpu *cpu, void (*main)(struct cpu *cpu))
{
	cpu_init_registers();
	cpu->guest_pat = paging_load_pat();
	desc_load(cpu);
	idt_load();
	smp_set_apic_mode();
	cpu->apic_id = lapic_id();
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
	main(cpu);
}

struct cpu *cpu_find(u32 apic_id)
{
	struct cpu *cpu;

	for_each_cpu (cpu)
		if (cpu->apic_id == apic_id)
			return cpu;
	return NULL;
}

bool smp_send_nmi(const struct cpu *cpu)
{
	return !__atomic_load_n(&cpu->apic_off, __ATOMIC_SEQ_CST) && lapic_send_nmi(cpu->apic_id);
}

static bool wait_online(const struct cpu *cpu, u32 us, void (*delay_us)(u32))
{
	for (u32 waited = 0;; waited += 10) {
		if (__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
			return true;
		if (waited >= us)
			return false;
		delay_us(10);
	}
}

static bool start_one(struct cpu *cpu, u64 trampoline, void (*delay_us)(u32))
{
	u32 sipi = ICR_DELIVERY_STARTUP << 8 | (u32)ICR_ASSERT | (u32)(trampoline >> 12);

	for (int tries = 0; tries < 2; tries++) {
		lapic_send_ipi(sipi, cpu->apic_id);
		if (wait_online(cpu, tries ? 1000000 : 200, delay_us))
			return true;
	}
	/* Stop it: if it started later, it would use the next CPU's trampoline data. */
	lapic_send_ipi(ICR_DELIVERY_INIT << 8 | (u32)ICR_ASSERT, cpu->apic_id);
	pr_err("CPU %u (APIC ID %u) does not answer INIT and SIPI: it stays stopped, and the guest "
	       "cannot start it. Check the firmware's setup, or boot without it by cpus=%u.\n",
	       cpu->id, cpu->apic_id, cpu->id);
	return false;
}

unsigned smp_start(u64 trampoline, void (*main)(struct cpu *cpu), void (*delay_us)(u32))
{
	static u8 saved[PAGE_SIZE];
	size_t size = (size_t)(trampoline_end - trampoline_start);
	char *page = phys_to_virt(trampoline);
	struct trampoline_data *data = (void *)(page + (trampoline_params - trampoline_start));
	unsigned running = 1;

	memcpy(saved, page, PAGE_SIZE);
	memcpy(page, trampoline_start, size);
	data->boot_cr3 = virt_to_phys(boot_pml4);
	data->entry = (u64)ap_entry;
	data->cr3 = paging_cr3();
	data->main = main;

	for (unsigned i = 1; i < nr_cpus; i++)
		lapic_send_ipi(ICR_DELIVERY_INIT << 8 | (u32)ICR_ASSERT, cpus[i]->apic_id);
	delay_us(10000);
	for (unsigned i = 1; i < nr_cpus; i++) {
		data->cpu = cpus[i];
		data->stack_top = cpus[i]->stack_top;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (start_one(cpus[i], trampoline, delay_us))
			running++;
	}
	memcpy(page, saved, PAGE_SIZE);
	return running;
}

void smp_enter(struct cpu *cpu, void (*main)(struct cpu *cpu))
{
	struct trampoline_data data = {
		.cr3 = paging_cr3(), .stack_top = cpu->stack_top, .cpu = cpu, .main = main};

	/* Until it has switched stacks, ap_entry only reads @data. */
	asm volatile("jmp ap_entry" : : "S"(&data), "m"(data) : "memory");
	__builtin_unreachable();
}
