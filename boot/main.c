/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to a running guest: each step is one function, in the order in which they
 * happen.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "boot/boot_info.h"
#include "boot/options.h"
#include "build/version.h"
#include "drivers/acpi.h"
#include "drivers/console.h"
#include "drivers/pit.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "vmm/x86/cpuid.h"
#include "vmm/vm0/icr.h"
#include "lib/integrity.h"
#include "vmm/load/loader.h"
#include "vmm/mmu.h"
#include "vmm/x86/msr.h"
#include "report/panic.h"
#include "vmm/vm0/power.h"
#include "vmm/x86/unknown.h"
#include "vmm/virt_ops.h"
#include "report/provoke.h"

#define VGA_TEXT       0xb8000
#define LOW_MEMORY     MIB(1)
#define TRAMPOLINE_MAX 0x9f000
#define MBI_MAX        MIB(16)
#define LOG_LOWEST     0x40000 /* leaves conventional memory enough for any boot sector */
#define HEAP_PAGES     192     /* for page tables, EPT, the VM */
#define HEAP_PAGES_CPU 16      /* stacks, VMCS, vCPU */
#define HEAP_PAGES_GIB 2       /* page directories for a GiB of RAM, ours and the EPT's */

extern char __image_start[], __image_end[];
void boot_main(u32 magic, u64 mbi, u64 load_base) __noreturn;
void call_on_stack(u64 stack_top, void (*fn)(void)) __noreturn;

static struct boot_info boot_info;
static struct boot_options options;
static struct acpi_info acpi;
static struct memmap machine;    /* memory as the firmware reports it */
static struct mem_range ours[3]; /* image, heap, log */
static u64 rsdp;
static struct vm *vm0;

static u64 start_tsc;    /* time-stamp counter when GRUB had left */
static u32 cpus_ready;   /* CPUs that are checked and wait */
static u32 cpus_refused; /* CPUs that cannot run the guest */
static u32 launch;       /* set: enter the guest */

static void stop(const char *why) __noreturn;
static void stop(const char *why)
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

static void read_boot_info(u32 magic, u64 mbi)
{
	if (boot_info_parse(&boot_info, magic, phys_to_virt(mbi), MIN(GIB(4) - mbi, MBI_MAX)))
		stop("The boot loader's information cannot be used. Load Glasshouse with GRUB's "
		     "command multiboot2.");
	if (boot_info.fb.address && boot_info.fb.type == FB_RGB)
		console_forget_vga();
	if (boot_options_parse(&options, boot_info.cmdline))
		pr_warn("Wrong options (above) have no effect.\n");
	console_set_level((enum log_level)options.log);
	strict_mode = options.strict;
	panic_resets = options.panic == PANIC_RESET;
}

static void read_acpi(void)
{
	static const struct acpi_mem mem = {map_boot};

	rsdp = acpi_find_rsdp(&mem);
	if (rsdp)
		acpi_parse(&acpi, &mem, rsdp);
	else if (boot_info.rsdp_length)
		acpi_parse_rsdp(&acpi, &mem, boot_info.rsdp, boot_info.rsdp_length);
	else
		pr_warn("No ACPI tables: only the boot CPU is used, and power-off is not seen.\n");
}

/* The highest room for @size bytes within [@min, @max) where nothing is that we need; or
 * MEMMAP_NONE. */
static u64 find_room(u64 size, u64 min, u64 max)
{
	struct mem_range avoid[BOOT_MODULES + 3] = {ours[0], ours[1], ours[2]};
	unsigned n = ARRAY_SIZE(ours);

	for (unsigned i = 0; i < boot_info.nr_modules; i++)
		avoid[n++] = (struct mem_range){boot_info.modules[i].start,
						boot_info.modules[i].size, MEM_RAM};
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
		stop("There is no room for Glasshouse's log below 4 GiB. Give it fewer or smaller "
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

	if (memmap_init(&machine, boot_info.mem, boot_info.nr_mem))
		stop("The firmware's memory map cannot be used.");
	ours[0] = (struct mem_range){image_base_pa, image_end - image_base_pa, MEM_RESERVED};
	gib = (memmap_ram_top(&machine) >> 30) + 1;
	size = (HEAP_PAGES + HEAP_PAGES_CPU * MAX(acpi.nr_cpus, 1) + HEAP_PAGES_GIB * gib) *
		       PAGE_SIZE +
	       ALIGN_UP(options.reserve, PAGE_SIZE);
	base = find_room(size, LOW_MEMORY, GIB(4));
	if (base == MEMMAP_NONE)
		stop("There is no room for Glasshouse's own memory below 4 GiB. Give it fewer or "
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

/* What holds bytes, for us to read and write. */
static bool is_memory(const struct mem_range *m)
{
	return m->type == MEM_RAM || m->type == MEM_ACPI || m->type == MEM_NVS;
}

/* Our page tables: what is memory, whatever its type but "bad"; the first MiB as a whole. */
static void take_page_tables(void)
{
	int r = paging_init();

	if (!r)
		r = paging_map_direct(0, LOW_MEMORY);
	for (unsigned i = 0; !r && i < machine.nr; i++) {
		const struct mem_range *m = &machine.r[i];

		if (is_memory(m))
			r = paging_map_direct(m->base, m->size);
	}
	if (r)
		stop("Out of memory for page tables: a defect of Glasshouse, for it has reckoned "
		     "how much it needs.");
	paging_load();
}

static void find_cpus(void)
{
	struct cpuid_regs id = cpuid(1, 0);
	u64 base = rdmsr(MSR_IA32_APICBASE);
	u32 boot_id;

	if (!(id.edx & BIT(9)) || !(base & APICBASE_ENABLE) ||
	    lapic_init(base & PAGE_MASK & GENMASK(51, 12)))
		stop("The local APIC is missing or off. Switch it on in the firmware's setup.");
	boot_id = lapic_id();
	if (!cpu_create(boot_id))
		stop("Out of memory for the boot CPU: a defect of Glasshouse.");
	for (unsigned i = 0; i < acpi.nr_cpus; i++) {
		if (acpi.cpus[i].apic_id == boot_id || !acpi.cpus[i].enabled)
			continue;
		if (options.cpus && nr_cpus >= options.cpus)
			break;
		if (!cpu_create(acpi.cpus[i].apic_id))
			stop("Out of memory for the CPUs: a defect of Glasshouse.");
	}
}

/* Each CPU but the first, from smp_start() on. */
static void run_cpu(struct cpu *cpu)
{
	if (virt->check_processor_compat(cpu->id))
		__atomic_add_fetch(&cpus_refused, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&launch, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (cpu->vcpu && !virt->hardware_enable() && !virt->vcpu_load(cpu->vcpu)) {
		virt->vcpu_reset(cpu->vcpu, false);
		if (options.icept == ICEPT_PF)
			virt->set_pf_intercept(cpu->vcpu, true);
		__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
		if (vcpu_run(cpu->vcpu) < 0)
			panic("the guest cannot go on");
		virt->hardware_disable();
	} else {
		__atomic_add_fetch(&cpus_refused, 1, __ATOMIC_RELEASE);
	}
	cpu_stop();
}

static void start_cpus(void)
{
	u64 page = find_room(PAGE_SIZE, PAGE_SIZE, TRAMPOLINE_MAX);
	struct cpu *cpu;
	unsigned running;

	if (nr_cpus == 1)
		return;
	if (page == MEMMAP_NONE)
		stop("No memory below 640 KiB to start the other CPUs from. Boot with cpus=1.");
	running = smp_start(page, run_cpu, pit_delay_us);
	while (__atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE) < running - 1)
		cpu_relax();
	if (cpus_refused)
		stop("Not all CPUs can run a guest (above). Boot with cpus=1, or change what is "
		     "named.");
	for_each_cpu (cpu)
		if (cpu->id && cpu->online)
			pr_info("CPU %u: ready, with all that CPU 0 has.\n", cpu->id);
}

/* Firmware code and tables below 1 MiB can be read, too, whatever the map calls them; not our log.
 */
static int add_low_memory(void)
{
	u64 end = MIN(ours[2].base, LOW_MEMORY), behind = MIN(end + ours[2].size, LOW_MEMORY);
	int r = set_memory_region(vm0, 0, end >> PAGE_SHIFT, (u64)phys_to_virt(0));

	if (!r && behind < LOW_MEMORY)
		r = set_memory_region(vm0, behind >> PAGE_SHIFT,
				      (LOW_MEMORY - behind) >> PAGE_SHIFT,
				      (u64)phys_to_virt(behind));
	return r;
}

static void make_vm0(void)
{
	struct cpu *cpu;
	int r;

	vm0 = create_vm();
	if (!vm0)
		stop("Out of memory for the virtual machine: a defect of Glasshouse.");
	vm0->acpi = &acpi;
	vm0->memmap = machine;
	vm0->nr_hidden = ARRAY_SIZE(ours);
	for (unsigned i = 0; i < ARRAY_SIZE(ours); i++) {
		vm0->hidden[i] = ours[i];
		if (memmap_reserve(&vm0->memmap, ours[i].base, ours[i].size))
			stop("The memory map has too many entries.");
	}
	r = add_low_memory();
	for (unsigned i = 0; !r && i < vm0->memmap.nr; i++) {
		const struct mem_range *m = &vm0->memmap.r[i];
		u64 start = MAX(ALIGN_UP(m->base, PAGE_SIZE), LOW_MEMORY);
		u64 end = ALIGN_DOWN(m->base + m->size, PAGE_SIZE);

		if (is_memory(m) && end > start)
			r = set_memory_region(vm0, start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT,
					      (u64)phys_to_virt(start));
	}
	if (!r)
		r = mmu_map_machine(vm0);
	for_each_cpu (cpu) {
		if (!r && (cpu->online || cpu->id == 0)) {
			cpu->vcpu = create_vcpu(vm0, cpu);
			r = cpu->vcpu ? 0 : -ENOMEM;
		}
	}
	if (r)
		stop("VM 0 could not be built: out of memory, a defect of Glasshouse.");
	msr_init_intercepts(vm0);
	if (power_init(vm0) || icr_trap(vm0, options.icr == ICR_TRAP))
		stop("VM 0's devices could not be set up: a defect of Glasshouse.");
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
	struct guest_modules modules = {.list = list, .nr = boot_info.nr_modules, .rsdp = rsdp};
	struct vcpu *vcpu = vm0->vcpus[0];

	for (unsigned i = 0; i < boot_info.nr_modules; i++)
		list[i] =
			(struct guest_module){boot_info.modules[i].start, boot_info.modules[i].size,
					      boot_info.modules[i].string};
	if (boot_info.fb.address && boot_info.fb.type == FB_RGB)
		modules.fb = &boot_info.fb;
	if (virt->hardware_enable() || virt->vcpu_load(vcpu))
		stop("VMX could not be switched on.");
	virt->vcpu_reset(vcpu, false);
	if (options.icept == ICEPT_PF)
		virt->set_pf_intercept(vcpu, true);
	if (options.boot ? load_drive(vm0, vcpu, boot_drive(options.boot))
			 : load_guest(vm0, vcpu, &modules))
		stop("The guest could not be loaded.");
	vcpu_set_mp_state(vcpu, MP_STATE_RUNNABLE);
}

static void enter_vm0(void)
{
	u64 kept = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(ours); i++)
		kept += ALIGN_UP(ours[i].size, PAGE_SIZE);
	cpuid_report();
	pr_info("Memory kept from the guest: %lu KiB (image at %lx, heap at %lx).\n", kept >> 10,
		ours[0].base, ours[1].base);
	pr_debug("Pages of the heap that are free: %zu\n", pages_left());
	pr_info("Entering the guest. From here on Glasshouse speaks %s.\n",
		options.console == CONSOLE_OURS ? "on COM2 and port E9" : "where console= says");

	cpus_ready = 0;
	__atomic_store_n(&launch, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE) < vm0->nr_vcpus - 1) {
		if (__atomic_load_n(&cpus_refused, __ATOMIC_ACQUIRE))
			stop("A CPU could not switch VMX on (above). Boot with cpus=1.");
		cpu_relax();
	}
	console_select(options.console);
	integrity_take();
	pr_info("The guest begins %lu ticks after Glasshouse.\n", rdtsc() - start_tsc);
	if (options.provoke[0])
		provoke(options.provoke);
	icr_vcpu_started(vm0->vcpus[0]);
	if (vcpu_run(vm0->vcpus[0]) < 0)
		panic("the guest cannot go on");
	virt->hardware_disable();
	cpu_stop();
}

/* On the boot CPU's own stack, with all of our tables in force. */
static void run_boot_cpu(void)
{
	cpus[0]->online = true;
	virt = &vmx_x86_ops;
	nmi_handler = vcpu_root_nmi;
	mc_handler = machine_check;
	trap_report = panic_trap;
	if (virt->hardware_setup())
		stop("This CPU cannot run a guest (above).");
	start_cpus();
	make_vm0();
	load_vm0();
	enter_vm0();
}

void boot_main(u32 magic, u64 mbi, u64 load_base)
{
	static struct cpu early; /* for this_cpu() until there is a heap */

	start_tsc = rdtsc();
	paging_set_image_base(load_base);
	early.self = &early;
	wrmsr(MSR_GS_BASE, (u64)&early);
	idt_init();
	idt_load();
	start_consoles();
	read_boot_info(magic, mbi);
	read_acpi();
	take_memory();
	take_page_tables();
	cpu_init_registers();
	find_cpus();
	desc_load(cpus[0]);
	call_on_stack(cpus[0]->stack_top, run_boot_cpu);
}
