/* SPDX-License-Identifier: MIT */
/*
 * The entry from the UEFI front door (boot/efi/): what it has handed over becomes a struct
 * boot_info.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/firmware.h"
#include "arch/x86/lapic.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "boot/boot.h"
#include "boot/efi_switch.h"
#include "boot/efi_handoff.h"
#include "drivers/console.h"
#include "drivers/pit.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmm/vm0/hypercall.h"

#define COME_MS 2000 /* time for the other CPUs to come */

_Static_assert(SWITCH_HYPERCALL == HYPERCALL_BOOT_SERVICES_END, "switch.S uses it");

static struct efi_handoff *handoff;
static void (*other_main)(struct cpu *cpu);
static u32 others_here;

/* Called by efi_entry.S, for the boot CPU and for each other CPU. The addresses are physical. */
void efi_boot_cpu_main(u64 handoff_pa, u64 state_pa, u64 load_base) __noreturn;
void efi_other_cpu_main(u64 handoff_pa, u64 state_pa) __noreturn;

static void leave(const struct firmware_state *state) __noreturn;
static void leave(const struct firmware_state *state)
{
	handoff->last_words = virt_to_phys(console_ring());
	firmware_leave(state, SWITCH_REFUSED);
}

/* The boot stack is free for the next CPU. */
static void other_arrived(struct cpu *cpu)
{
	__atomic_add_fetch(&others_here, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&handoff->lock, 0, __ATOMIC_RELEASE);
	other_main(cpu);
	cpu_stop();
}

void efi_other_cpu_main(u64 handoff_pa, u64 state_pa)
{
	struct cpu *cpu;

	(void)handoff_pa;
	/* The firmware's are still loaded. In this order: the IDT's gates take stacks from the TSS.
	 * The lock keeps other CPUs away until this one has tables of its own. */
	desc_load_early();
	idt_load();
	paging_load();
	cpu = cpu_find(lapic_id());
	/* One that cannot go back stays here with the lock, so that not all CPUs come. */
	if (!cpu && !firmware_can_leave(phys_to_virt(state_pa)))
		cpu_stop();
	if (!cpu)
		firmware_leave(phys_to_virt(state_pa), SWITCH_UNKNOWN);
	cpu->firmware = phys_to_virt(state_pa);
	smp_enter(cpu, other_arrived);
}

static unsigned start_cpus(void (*main)(struct cpu *cpu))
{
	other_main = main;
	__atomic_store_n(&handoff->others, OTHERS_COME, __ATOMIC_RELEASE);
	for (unsigned ms = 0; ms < COME_MS; ms++) {
		if (__atomic_load_n(&others_here, __ATOMIC_ACQUIRE) == handoff->nr_others)
			return 1 + handoff->nr_others;
		pit_delay_us(1000);
	}
	__atomic_store_n(&handoff->others, OTHERS_LEAVE, __ATOMIC_RELEASE);
	pr_err("Only %u of the %u other CPUs have come within %u ms, "
	       "of those that the firmware's MP services name.\n",
	       others_here, handoff->nr_others, COME_MS);
	boot_stop("The firmware does not give up all CPUs. "
		  "Boot with fewer, by the firmware's setup.");
}

static void add_module(struct boot_info *info, u64 start, u64 size, const char *string)
{
	size_t length = strlen(string) + 1;

	if (length > sizeof(info->text) - info->text_used)
		boot_stop("The modules' strings are too long. "
			  "Make them shorter in the boot loader's configuration.");
	info->modules[info->nr_modules++] = (struct boot_module){
		start, size, memcpy(info->text + info->text_used, string, length)};
	info->text_used += (u32)length;
}

static void fill_info(struct boot_info *info)
{
	static struct boot_firmware firmware = {.start_cpus = start_cpus, .leave = leave};
	static char refusal[100];

	info->cmdline = info->text;
	info->cmdline_from = handoff->cmdline_from;
	strlcpy(info->text, handoff->cmdline, sizeof(info->text));
	memcpy(info->mem, handoff->mem, sizeof(info->mem));
	info->nr_mem = handoff->nr_mem;
	info->text_used = (u32)strlen(info->text) + 1;
	for (unsigned i = 0; i < handoff->nr_modules; i++)
		add_module(info, handoff->modules[i].start, handoff->modules[i].size,
			   phys_to_virt(handoff->modules[i].string));
	info->fb = handoff->fb;
	info->rsdp_address = handoff->rsdp;
	info->efi = true;
	info->own_heap = handoff->heap;
	info->own_log = handoff->log;
	info->own_low_page = handoff->low_page;
	info->efi_boot_services = handoff->boot_services;
	if (handoff->exit_status) {
		snprintf(refusal, sizeof(refusal),
			 "The firmware does not give up the machine (ExitBootServices: %lx).",
			 handoff->exit_status);
		info->refusal = refusal;
	}
	if (!handoff->boot_services)
		return;
	firmware.state = &handoff->states[0];
	info->firmware = &firmware;
	info->apic_ids = handoff->apic_ids;
	info->nr_apic_ids = handoff->nr_others;
}

void efi_boot_cpu_main(u64 handoff_pa, u64 state_pa, u64 load_base)
{
	static struct boot_info info;

	(void)state_pa;
	boot_early(load_base, false);
	handoff = phys_to_virt(handoff_pa);
	fill_info(&info);
	boot_main(&info);
}
