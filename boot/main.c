/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to a running guest: each step is one function, in the order in which they
 * happen. This file brings up the host; what VM 0 is, vmm/vm0/ knows.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/early.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "boot/boot.h"
#include "boot/options.h"
#include "build/version.h"
#include "drivers/acpi.h"
#include "drivers/console.h"
#include "drivers/pit.h"
#include "lib/integrity.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "report/panic.h"
#include "report/provoke.h"
#include "vmm/load/loader.h"
#include "vmm/vm0/create.h"
#include "vmm/vm0/microcode.h"
#include "vmm/vmx/vmx_ops.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/unknown.h"

#define VGA_TEXT       0xb8000
#define LOW_MEMORY     MIB(1)
#define TRAMPOLINE_MAX 0x9f000
#define LOG_LOWEST     0x40000 /* leaves conventional memory enough for any boot sector */
#define HEAP_PAGES     (192 + MICROCODE_PAGES) /* for page tables, EPT, the VM */
#define HEAP_PAGES_CPU 17                      /* stacks, VMCS, MSR bitmap, vCPU */
#define HEAP_PAGES_GIB 2 /* page directories for a GiB of RAM, ours and the EPT's */

extern char __image_start[], __image_end[];

static struct boot_info *boot_info;
static struct boot_options options;
static struct acpi_info acpi;
static struct memmap machine;    /* memory as the firmware reports it */
static struct mem_range ours[3]; /* image, heap, log */
static u64 rsdp;
static struct vm *vm;

static u64 start_tsc;    /* time-stamp counter when GRUB had left */
static u32 cpus_ready;   /* CPUs that are checked and wait */
static u32 cpus_refused; /* CPUs that cannot run the guest */
static u32 launch;       /* set: the CPUs run their vCPUs */

void boot_stop(const char *why)
{
	pr_err("%s\nGlasshouse has stopped. Switch off or reset the machine.\n", why);
	cpu_stop();
}

/* The boot page tables map all below 4 GiB. */
static const void *map_boot(u64 pa, size_t len)
{
	return pa + len <= GIB(4) ? phys_to_virt(pa) : NULL;
}

static void start_consoles(void)
{
	console_init(phys_to_virt(VGA_TEXT));
	pr_info("\nGlasshouse %s\n", GLASSHOUSE_VERSION);
}

static void read_options(void)
{
	if (boot_info->fb.address && boot_info->fb.type == FB_RGB)
		console_forget_vga();
	if (boot_options_parse(&options, boot_info->cmdline))
		pr_warn("Wrong options (above) have no effect.\n");
	console_set_level((enum log_level)options.log);
	strict_mode = options.strict;
	report_init(options.panic == PANIC_RESET, &acpi);
}

static void read_acpi(void)
{
	static const struct acpi_mem mem = {map_boot};

	rsdp = acpi_find_rsdp(&mem);
	if (rsdp)
		acpi_parse(&acpi, &mem, rsdp);
	else if (boot_info->rsdp_length)
		acpi_parse_rsdp(&acpi, &mem, boot_info->rsdp, boot_info->rsdp_length);
	else
		pr_warn("No ACPI tables: only the boot CPU is used, and power-off is not seen.\n");
}

/* The highest room for @size bytes within [@min, @max) where nothing is that we need; or
 * MEMMAP_NONE. */
static u64 find_room(u64 size, u64 min, u64 max)
{
	struct mem_range avoid[BOOT_MODULES + 3] = {ours[0], ours[1], ours[2]};
	unsigned n = ARRAY_SIZE(ours);

	for (unsigned i = 0; i < boot_info->nr_modules; i++)
		avoid[n++] = (struct mem_range){boot_info->modules[i].start,
						boot_info->modules[i].size, MEM_RAM};
	return memmap_find(&machine, &(struct memmap_query){.size = size,
							    .align = PAGE_SIZE,
							    .min = min,
							    .max = max,
							    .avoid = avoid,
							    .nr_avoid = n,
							    .top_down = true});
}

/*
 * The log lies where neither firmware nor GRUB is likely to write, so that the next boot finds it:
 * at the end of conventional memory. GRUB takes memory from the top, as much as all modules have
 * and more. And each hole above 1 MiB costs a guest large pages.
 */
static void keep_log(void)
{
	u64 size = CONSOLE_RING_PAGES * PAGE_SIZE, base = find_room(size, LOG_LOWEST, LOW_MEMORY);

	if (base == MEMMAP_NONE)
		base = find_room(size, LOW_MEMORY, GIB(4));
	if (base == MEMMAP_NONE)
		boot_stop("There is no room for Glasshouse's log below 4 GiB. Give it fewer or "
			  "smaller "
			  "modules.");
	ours[2] = (struct mem_range){base, size, MEM_RESERVED};
	console_print_last(phys_to_virt(base), size);
	console_keep_ring(phys_to_virt(base));
}

/* Our own memory: the image, and a heap as high as possible below 4 GiB, which the boot page tables
 * map. */
static void take_memory(void)
{
	u64 image_end = ALIGN_UP(image_base_pa + (u64)(__image_end - __image_start), PAGE_SIZE);
	u64 gib, size, base;

	if (memmap_init(&machine, boot_info->mem, boot_info->nr_mem))
		boot_stop("The firmware's memory map cannot be used.");
	ours[0] = (struct mem_range){image_base_pa, image_end - image_base_pa, MEM_RESERVED};
	gib = (memmap_ram_top(&machine) >> 30) + 1;
	size = (HEAP_PAGES + HEAP_PAGES_CPU * MAX(acpi.nr_cpus, 1) + HEAP_PAGES_GIB * gib) *
		       PAGE_SIZE +
	       ALIGN_UP(options.reserve, PAGE_SIZE);
	base = find_room(size, LOW_MEMORY, GIB(4));
	if (base == MEMMAP_NONE)
		boot_stop("There is no room for Glasshouse's own memory below 4 GiB. Give it fewer "
			  "or "
			  "smaller modules.");
	/* What is left between the two, if it is less than a large page: the guest's map has one
	 * hole less. */
	if (base > image_end && base - image_end < MIB(2) &&
	    find_room(base - image_end, image_end, base) == image_end) {
		size += base - image_end;
		base = image_end;
	}
	ours[1] = (struct mem_range){base, size, MEM_RESERVED};
	keep_log();
	pages_init(phys_to_virt(base), size >> PAGE_SHIFT);
}

/* Our page tables: what is memory, whatever its type but "bad"; the first MiB as a whole. */
static void take_page_tables(void)
{
	int r = paging_init();

	if (!r)
		r = paging_map_direct(0, LOW_MEMORY);
	for (unsigned i = 0; !r && i < machine.nr; i++) {
		const struct mem_range *m = &machine.r[i];

		if (mem_holds_bytes(m->type))
			r = paging_map_direct(m->base, m->size);
	}
	if (r)
		boot_stop("Out of memory for page tables: a defect of Glasshouse, for it has "
			  "reckoned "
			  "how much it needs.");
	paging_load();
}

/* CPUs with APIC IDs above 254 can be started in x2APIC mode only. */
static void use_x2apic(void)
{
	if (!acpi_needs_x2apic(&acpi) || lapic_is_x2apic())
		return;
	if (!(cpuid(1, 0).ecx & BIT(21)))
		boot_stop("The ACPI tables list CPUs with APIC IDs above 254, but this CPU has no "
			  "x2APIC. Look for a newer firmware.");
	lapic_enable_x2apic();
	smp_x2apic = true;
	pr_info("The local APICs are in x2APIC mode: some CPUs have APIC IDs above 254.\n");
}

static void find_cpus(void)
{
	struct cpu *cpu;
	struct cpuid_regs id = cpuid(1, 0);
	u64 base = rdmsr(MSR_IA32_APICBASE);
	u32 boot_id;

	if (!(id.edx & BIT(9)) || !(base & APICBASE_ENABLE) ||
	    lapic_init(base & PAGE_MASK & GENMASK(51, 12)))
		boot_stop(
			"The local APIC is missing or off. Switch it on in the firmware's setup.");
	use_x2apic();
	boot_id = lapic_id();
	if (!cpu_create(boot_id))
		boot_stop("Out of memory for the boot CPU: a defect of Glasshouse.");
	for (unsigned i = 0; i < acpi.nr_cpus; i++) {
		if (acpi.cpus[i].apic_id == boot_id || !acpi.cpus[i].enabled)
			continue;
		cpu = cpu_create(acpi.cpus[i].apic_id);
		if (!cpu)
			boot_stop("Out of memory for the CPUs: a defect of Glasshouse.");
		cpu->parked = options.cpus && cpu->id >= options.cpus;
	}
}

/*
 * A CPU that cpus= leaves out stays in root mode, where an INIT does not reach it (SDM: "Treatment
 * of Specific Events in VMX Non-Root and Root Operation"): the guest cannot start it. Without
 * virtualisation it only halts, and the guest's INIT and SIPI stay trapped.
 */
static void park(struct cpu *cpu) __noreturn;
static void park(struct cpu *cpu)
{
	if (!virt->check_processor_compat(cpu->id))
		virt->hardware_enable();
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	cpu_stop();
}

/* Each CPU except the first, from smp_start() on: wait for a vCPU, and run it. */
static void run_cpu(struct cpu *cpu)
{
	if (cpu->parked)
		park(cpu);
	if (virt->check_processor_compat(cpu->id))
		__atomic_add_fetch(&cpus_refused, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&launch, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (cpu->vcpu)
		vm0_run_cpu(cpu->vcpu);
	cpu_stop();
}

static void start_cpus(void)
{
	u64 page = find_room(PAGE_SIZE, PAGE_SIZE, TRAMPOLINE_MAX);
	struct cpu *cpu;
	unsigned running;

	if (nr_cpus == 1)
		return;
	if (page == MEMMAP_NONE && options.cpus == 1)
		return;
	if (page == MEMMAP_NONE)
		boot_stop(
			"No memory below 640 KiB to start the other CPUs from. Boot with cpus=1.");
	running = smp_start(page, run_cpu, pit_delay_us);
	while (__atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE) < running - 1)
		cpu_relax();
	if (cpus_refused)
		boot_stop(
			"Not all CPUs can run a guest (above). Boot with cpus=1, or change what is "
			"named.");
	for_each_cpu (cpu)
		if (cpu->id && cpu->online)
			pr_info("CPU %u: %s.\n", cpu->id,
				!cpu->parked   ? "ready, with all that CPU 0 has"
				: cpu->virt_on ? "left out by cpus=, and parked in root mode"
					       : "left out by cpus=");
}

static bool runs_guest(u32 apic_id)
{
	struct cpu *cpu;

	for_each_cpu (cpu)
		if (cpu->apic_id == apic_id)
			return cpu->online && !cpu->parked;
	return false;
}

/* An operating system waits ten seconds for each CPU that does not start. */
static void hide_cpus(void)
{
	unsigned hidden = 0;

	if (acpi.madt && paging_is_mapped(acpi.madt, acpi.madt_length))
		hidden = acpi_hide_cpus(phys_to_virt(acpi.madt), acpi.madt_length, runs_guest);
	if (hidden)
		pr_info("The ACPI tables no longer list the %u CPUs that do not run the guest.\n",
			hidden);
}

static void make_vm0(void)
{
	struct vm0_config config = {
		.memory = {.machine = &machine, .hidden = ours, .nr_hidden = ARRAY_SIZE(ours)},
		.acpi = &acpi,
		.keep_icr_trap = options.icr == ICR_TRAP,
		.intercept_pf = options.icept == ICEPT_PF,
	};

	vm = vm0_create(&config);
	if (!vm)
		boot_stop("VM 0 could not be made (above).");
}

/* The BIOS' number for boot=. */
static unsigned boot_drive(unsigned boot)
{
	if (boot == BOOT_CD)
		return DRIVE_CD;
	return boot == BOOT_DISK ? DRIVE_HD0 : DRIVE_HD0 + boot - BOOT_HD0;
}

static void load_vm0(void)
{
	static struct guest_module list[BOOT_MODULES];
	struct guest_modules modules = {.list = list, .nr = boot_info->nr_modules, .rsdp = rsdp};

	for (unsigned i = 0; i < boot_info->nr_modules; i++)
		list[i] = (struct guest_module){boot_info->modules[i].start,
						boot_info->modules[i].size,
						boot_info->modules[i].string};
	if (boot_info->fb.address && boot_info->fb.type == FB_RGB)
		modules.fb = &boot_info->fb;
	if (vm0_load_boot_vcpu(vm))
		boot_stop("VMX could not be switched on.");
	if (options.boot ? load_drive(vm, vm->vcpus[0], boot_drive(options.boot))
			 : load_guest(vm, vm->vcpus[0], &modules))
		boot_stop("The guest could not be loaded.");
}

static void enter_vm0(void)
{
	u64 kept = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(ours); i++)
		kept += ALIGN_UP(ours[i].size, PAGE_SIZE);
	cpuid_report(vm);
	pr_info("Memory kept from the guest: %lu KiB (image at %lx, heap at %lx).\n", kept >> 10,
		ours[0].base, ours[1].base);
	pr_debug("Pages of the heap that are free: %zu\n", pages_left());
	pr_info("Entering the guest. From here on Glasshouse speaks %s.\n",
		options.console == CONSOLE_OURS ? "on COM2 and port E9" : "where console= says");

	__atomic_store_n(&launch, 1, __ATOMIC_RELEASE);
	if (vm0_wait_loaded(vm))
		boot_stop("A CPU could not switch VMX on (above). Boot with cpus=1.");
	console_select(options.console);
	integrity_take();
	pr_info("The guest begins %lu ticks after Glasshouse.\n", rdtsc() - start_tsc);
	if (options.provoke[0])
		provoke(options.provoke);
	vm0_run(vm);
	cpu_stop();
}

/* On the boot CPU's own stack, with all of our tables in force. */
static void run_boot_cpu(void)
{
	cpus[0]->online = true;
	virt_ops = vmx_x86_ops;
	nmi_handler = vcpu_root_nmi;
	if (virt->hardware_setup())
		boot_stop("This CPU cannot run a guest (above).");
	start_cpus();
	hide_cpus();
	make_vm0();
	load_vm0();
	enter_vm0();
}

void boot_early(u64 load_base)
{
	static struct cpu early; /* for this_cpu() until there is a heap */

	start_tsc = rdtsc();
	paging_set_image_base(load_base);
	/* Before the IDT, whose gate for NMIs takes its stack from the TSS. */
	desc_init_early(&early);
	desc_load(&early);
	idt_init();
	idt_load();
	start_consoles();
}

void boot_main(struct boot_info *info)
{
	boot_info = info;
	read_options();
	read_acpi();
	take_memory();
	take_page_tables();
	cpu_init_registers();
	find_cpus();
	desc_load(cpus[0]);
	call_on_stack(cpus[0]->stack_top, run_boot_cpu);
}
