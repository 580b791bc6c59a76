/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to a running guest: one function for each step, in the order of the steps.
 * This file initialises the host and chooses the vendor's virtualisation; vmm/vm0/ creates VM 0.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/early.h"
#include "arch/x86/firmware.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "boot/boot.h"
#include "boot/heap.h"
#include "boot/options.h"
#include "build/version.h"
#include "drivers/acpi.h"
#include "drivers/console.h"
#include "drivers/console_choice.h"
#include "drivers/pit.h"
#include "drivers/serial.h"
#include "errno.h"
#include "lib/integrity.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/print.h"
#include "lib/string.h"
#include "report/panic.h"
#include "report/provoke.h"
#include "vmm/load/loader.h"
#include "vmm/load/role.h"
#include "vmm/room.h"
#include "vmm/vm0/create.h"
#include "vmm/vm0/hide_cpus.h"
#include "vmm/vmx/vmx_ops.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/unknown.h"

#define VGA_TEXT       0xb8000
#define LOW_MEMORY     MIB(1)
#define TRAMPOLINE_MAX 0x9f000
#define LOG_LOWEST     0x40000 /* below it, conventional memory is left to boot sectors */

extern char __image_start[], __image_end[];

static struct boot_info *boot_info;
static struct boot_options options;
static struct acpi_info acpi;
static struct memmap machine; /* memory as the firmware reports it */
/* Glasshouse's own memory: image, heap, log, symbols, shadow page tables */
static struct mem_range reserved[5];
static struct mem_range shadow_pool;     /* one of these */
static unsigned nr_reserved = 3;         /* 4: there is a module of symbols */
static struct mem_range logs[LOG_RINGS]; /* parts of it that the guest may read */
static const char *symbols;              /* the guest's, for the monitor */
static size_t symbols_size;
static u64 rsdp;
static struct vm *vm;

static u64 start_tsc;        /* time-stamp counter at entry from the boot loader */
static u64 first_pat;        /* the boot CPU's IA32_PAT then */
static u32 cpus_ready;       /* CPUs that are checked and wait for launch */
static u32 cpus_refused;     /* of these, the CPUs that cannot run the guest */
static bool started_by_sipi; /* the other CPUs, which the firmware cannot get back */
static u32 launch;           /* enum launch: what the other CPUs do next */

enum launch { LAUNCH_WAIT, LAUNCH_RUN, LAUNCH_BACK };

/* The firmware gets back this CPU, and those that it has let come here: the boot CPU prints why. */
static void back_to_firmware(const struct firmware_state *state) __noreturn;
static void back_to_firmware(const struct firmware_state *state)
{
	if (this_cpu()->virt_on)
		virt->hardware_disable();
	boot_info->firmware->leave(state);
}

void boot_stop(const char *why)
{
	bool can_go_back = boot_info && boot_info->firmware && launch == LAUNCH_WAIT &&
			   !started_by_sipi && firmware_can_leave(boot_info->firmware->state);

	if (can_go_back) {
		pr_err("%s\nGlasshouse has not started, and gives the machine back to the "
		       "firmware.\n",
		       why);
		console_flush();
		__atomic_store_n(&launch, LAUNCH_BACK, __ATOMIC_RELEASE);
		back_to_firmware(boot_info->firmware->state);
	}
	pr_err("%s\nGlasshouse has stopped. Switch off or reset the machine.\n", why);
	cpu_stop();
}

/* The boot page tables map all addresses below 4 GiB. */
static const void *map_boot(u64 pa, size_t len)
{
	return pa + len <= GIB(4) ? phys_to_virt(pa) : NULL;
}

static void start_consoles(bool text_mode)
{
	console_init(text_mode ? phys_to_virt(VGA_TEXT) : NULL);
	pr_info("\nGlasshouse %s\n", GLASSHOUSE_VERSION);
}

static u64 framebuffer_end(void)
{
	return boot_info->fb.address + (u64)boot_info->fb.pitch * boot_info->fb.height;
}

/* Print on the screen in graphics mode, too. One above 4 GiB waits until load_page_tables(). */
static void use_framebuffer(void)
{
	const struct framebuffer *fb = &boot_info->fb;

	boot_info_check_framebuffer(boot_info);
	if (fb->address && fb->type != FB_TEXT)
		console_use_framebuffer(
			fb, framebuffer_end() <= GIB(4)
				    ? paging_boot_write_combining(fb->address,
								  (u64)fb->pitch * fb->height)
				    : NULL);
}

/* With a wrong option nothing is started: it could be another system than the user wants. */
static void read_options(void)
{
	static char why[160];
	unsigned wrong;

	use_framebuffer();
	wrong = boot_options_parse(&options, boot_info->cmdline);
	console_set_level((enum log_level)options.log);
	strict_mode = options.strict;
	report_init(options.panic == PANIC_RESET, &acpi);
	if (!wrong)
		return;
	snprintf(why, sizeof(why), "Wrong options (above). Correct them in %s.",
		 boot_info->cmdline_from);
	boot_stop(why);
}

/* The same with Glasshouse's own page tables, which map memory of every kind, also above 4 GiB,
 * where UEFI firmware may put ACPI tables. */
static const void *map_own(u64 pa, size_t len)
{
	/* Below, firmware may also leave its tables out of the memory map. */
	if (!paging_is_mapped(pa, len) && pa < GIB(4) && len <= MIB(1))
		paging_map_direct(pa, len);
	return paging_is_mapped(pa, len) ? phys_to_virt(pa) : NULL;
}

static void read_acpi(const void *(*map)(u64 pa, size_t len))
{
	const struct acpi_mem mem = {map};

	rsdp = boot_info->rsdp_address;
	if (!rsdp && !boot_info->efi)
		rsdp = acpi_find_rsdp(&mem);
	if (rsdp)
		acpi_parse(&acpi, &mem, rsdp);
	else if (boot_info->rsdp_length)
		acpi_parse_rsdp(&acpi, &mem, boot_info->rsdp, boot_info->rsdp_length);
	else
		pr_warn("No ACPI tables: %sa power-off by the guest is not detected. "
			"Switch ACPI on in the firmware's setup.\n",
			boot_info->nr_apic_ids ? "" : "only the boot CPU is used, and ");
}

/* Returns the highest address in [@min, @max) of @size bytes of RAM that neither Glasshouse nor a
 * module occupies, or MEMMAP_NONE. */
static u64 find_room(u64 size, u64 min, u64 max)
{
	static struct mem_range avoid[ARRAY_SIZE(reserved) + BOOT_MODULES]; /* large for a stack */
	unsigned n = ARRAY_SIZE(reserved);

	memcpy(avoid, reserved, sizeof(reserved));
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
 * Put the log at the end of conventional memory, where neither the firmware nor GRUB is likely to
 * write during a reboot, so that the next boot can print it. High memory is worse: GRUB uses it
 * from the top down, and each hole above 1 MiB costs the guest large pages.
 */
static void place_log(void)
{
	u64 size = CONSOLE_RING_PAGES * PAGE_SIZE, base = boot_info->own_log.base;
	void *last;

	if (!base)
		base = find_room(size, LOG_LOWEST, LOW_MEMORY);
	if (base == MEMMAP_NONE)
		base = find_room(size, LOW_MEMORY, GIB(4));
	if (base == MEMMAP_NONE)
		boot_stop("There is no room for Glasshouse's log below 4 GiB. Load fewer or "
			  "smaller modules.");
	reserved[2] = (struct mem_range){base, size, MEM_RESERVED};
	logs[LOG_RING_NOW] = reserved[2];
	last = console_take_last(phys_to_virt(base), size);
	if (last)
		logs[LOG_RING_LAST] = (struct mem_range){virt_to_phys(last), size, MEM_RESERVED};
	console_keep_ring(phys_to_virt(base));
}

/* Find room for the heap behind the image, which ends at @image_end: as high as possible below 4
 * GiB, which is what the boot page tables map. */
static struct mem_range find_heap(u64 image_end)
{
	u64 size = boot_heap_size(acpi.nr_cpus, memmap_top(&machine), options.reserve,
				  options.trace),
	    base;

	base = find_room(size, LOW_MEMORY, GIB(4));
	if (base == MEMMAP_NONE)
		boot_stop("There is no room for Glasshouse's own memory below 4 GiB. Load fewer or "
			  "smaller modules.");
	/* Let the heap fill a gap of less than a large page, so that the guest's memory map has one
	 * hole instead of two. */
	if (base > image_end && base - image_end < MIB(2) &&
	    find_room(base - image_end, image_end, base) == image_end) {
		size += base - image_end;
		base = image_end;
	}
	return (struct mem_range){base, size, MEM_RESERVED};
}

/* Keep the module with the guest's symbols, for the monitor, where the boot loader has put it.
 * Under UEFI that memory is the firmware's, and then the guest's. */
static void keep_symbols(void)
{
	for (unsigned i = 0; options.monitor && i < boot_info->nr_modules; i++) {
		const struct boot_module *m = &boot_info->modules[i];

		if (!role_arguments(m->string, SYMBOLS_ROLE) || !m->size ||
		    nr_reserved == ARRAY_SIZE(reserved) - 1)
			continue;
		if (boot_info->firmware || m->start & (PAGE_SIZE - 1) ||
		    m->start + m->size > GIB(4)) {
			pr_warn("The module with the role symbols is not used: bt shows addresses "
				"only. It needs GRUB on a BIOS machine.\n");
			continue;
		}
		reserved[nr_reserved++] =
			(struct mem_range){m->start, ALIGN_UP(m->size, PAGE_SIZE), MEM_RESERVED};
		symbols = phys_to_virt(m->start);
		symbols_size = m->size;
	}
}

/* Reserve Glasshouse's own memory, unless the front door has done so: the image, a heap, and the
 * log. */
static void reserve_memory(void)
{
	u64 image_end = ALIGN_UP(image_base_pa + (u64)(__image_end - __image_start), PAGE_SIZE);

	if (memmap_init(&machine, boot_info->mem, boot_info->nr_mem))
		boot_stop("The firmware's memory map cannot be used.");
	reserved[0] = (struct mem_range){image_base_pa, image_end - image_base_pa, MEM_RESERVED};
	reserved[1] = boot_info->own_heap.size ? boot_info->own_heap : find_heap(image_end);
	pages_init(phys_to_virt(reserved[1].base), reserved[1].size >> PAGE_SHIFT);
	place_log();
	keep_symbols();
}

/* Switch to Glasshouse's page tables. They map all of the first MiB, Glasshouse's own memory, which
 * UEFI firmware calls reserved, memory of every type except "bad", and what is drawn to. */
static void load_page_tables(void)
{
	u64 fb = boot_info->fb.address, fb_size = console_framebuffer_size();
	int r = paging_init();

	/* Before memory of any type that the firmware may say is there. */
	if (!r && fb_size && !ioremap_wc(fb, fb_size))
		r = -ENOMEM;
	if (!r)
		r = paging_map_direct(0, LOW_MEMORY);
	for (unsigned i = 0; !r && i < nr_reserved; i++)
		r = paging_map_direct(reserved[i].base, reserved[i].size);
	for (unsigned i = 0; !r && i < machine.nr; i++) {
		const struct mem_range *m = &machine.r[i];

		if (mem_holds_bytes(m->type))
			r = paging_map_direct(m->base, m->size);
	}
	if (r)
		boot_stop("Out of memory for page tables: a defect of Glasshouse, which computed "
			  "too small a heap. Boot with reserve=1M, and please report it.");
	paging_load();
	if (fb_size && framebuffer_end() > GIB(4))
		console_show_framebuffer(phys_to_virt(fb));
}

/* CPUs with APIC IDs above 254 can be started in x2APIC mode only. */
static void use_x2apic(void)
{
	/* While firmware runs, the mode is its own; and it brings the CPUs. */
	if (!acpi_needs_x2apic(&acpi) || lapic_is_x2apic() || boot_info->firmware)
		return;
	if (!(cpuid(1, 0).ecx & BIT(21)))
		boot_stop("The ACPI tables list CPUs with APIC IDs above 254, but this CPU has no "
			  "x2APIC. Look for a newer firmware.");
	lapic_set_mode(APICBASE_EXTD);
	smp_x2apic = true;
	pr_info("The local APICs are in x2APIC mode: some CPUs have APIC IDs above 254.\n");
}

static void add_cpu(u32 apic_id)
{
	struct cpu *cpu = cpu_create(apic_id);

	if (!cpu)
		boot_stop("Out of memory for the CPUs: a defect of Glasshouse. Boot with "
			  "reserve=1M, and please report it.");
	cpu->parked = options.cpus && cpu->id >= options.cpus;
}

static void find_cpus(void)
{
	struct cpuid_regs id = cpuid(1, 0);
	u64 base = rdmsr(MSR_IA32_APICBASE);
	u32 boot_id;

	if (!(id.edx & BIT(9)) || !(base & APICBASE_ENABLE) ||
	    lapic_init(base & PAGE_MASK & GENMASK(51, 12)))
		boot_stop(
			"The local APIC is missing or off. Switch it on in the firmware's setup.");
	use_x2apic();
	boot_id = lapic_id();
	add_cpu(boot_id);
	cpus[0]->firmware = boot_info->firmware ? boot_info->firmware->state : NULL;
	cpus[0]->guest_pat = first_pat;
	for (unsigned i = 0; i < acpi.nr_cpus; i++)
		if (acpi.cpus[i].apic_id != boot_id && acpi.cpus[i].enabled)
			add_cpu(acpi.cpus[i].apic_id);
	for (unsigned i = 0; i < boot_info->nr_apic_ids; i++)
		if (!cpu_find(boot_info->apic_ids[i]))
			add_cpu(boot_info->apic_ids[i]);
}

/*
 * Park a CPU that cpus= leaves out: it stays in root mode, where INITs are blocked, so the guest
 * cannot start it. SDM: "Treatment of Specific Events in VMX Non-Root and Root Operation". A CPU
 * without virtualisation only halts, and the ICR trap keeps the guest from starting it.
 */
static void park(struct cpu *cpu) __noreturn;
static void park(struct cpu *cpu)
{
	if (!virt->check_processor_compat(cpu->id))
		virt->hardware_enable();
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	cpu_stop();
}

/* What smp_start() runs on each CPU other than the boot CPU: wait for a vCPU, and run it. */
static void run_cpu(struct cpu *cpu)
{
	u32 what;

	if (cpu->parked && !cpu->firmware)
		park(cpu);
	if (virt->check_processor_compat(cpu->id))
		__atomic_add_fetch(&cpus_refused, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	while ((what = __atomic_load_n(&launch, __ATOMIC_ACQUIRE)) == LAUNCH_WAIT)
		cpu_relax();
	if (what == LAUNCH_BACK)
		back_to_firmware(cpu->firmware);
	if (cpu->vcpu)
		vm0_run_cpu(cpu->vcpu);
	cpu_stop();
}

/* Start the other CPUs by INIT and SIPI. Returns the number of running CPUs. */
static unsigned start_cpus_by_sipi(void)
{
	u64 page = boot_info->own_low_page;

	if (!page)
		page = find_room(PAGE_SIZE, PAGE_SIZE, TRAMPOLINE_MAX);
	if (page == MEMMAP_NONE && options.cpus == 1)
		return 1;
	if (page == MEMMAP_NONE)
		boot_stop(
			"No memory below 640 KiB to start the other CPUs from. Boot with cpus=1.");
	started_by_sipi = true;
	return smp_start(page, run_cpu, pit_delay_us);
}

static void start_cpus(void)
{
	struct cpu *cpu;
	unsigned running;

	if (nr_cpus == 1)
		return;
	running = boot_info->firmware && boot_info->nr_apic_ids
			  ? boot_info->firmware->start_cpus(run_cpu)
			  : start_cpus_by_sipi();
	while (__atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE) < running - 1)
		cpu_relax();
	if (cpus_refused)
		boot_stop(boot_info->firmware
				  ? "Not all CPUs can run a guest, for the reasons above. "
				    "Switch these off in the firmware's setup."
				  : "Not all CPUs can run a guest, for the reasons above. "
				    "Remove these, or boot with cpus=1.");
	for_each_cpu (cpu)
		if (cpu->id && cpu->online)
			pr_info("CPU %u: %s.\n", cpu->id,
				!cpu->parked    ? "ready, with all features of CPU 0"
				: cpu->firmware ? "left out by cpus=, and runs only the firmware"
				: cpu->virt_on  ? "left out by cpus=, and parked in root mode"
						: "left out by cpus=");
}

#define SHADOW_MIN MIB(4)
#define SHADOW_MAX MIB(256)

/* Reserve memory for shadow page tables, below 4 GiB. */
static void reserve_shadow(void)
{
	u64 size = options.shadow, base;

	if (!room_find("shadow"))
		boot_stop("Shadow page tables are needed, but not in this image.");
	if (boot_info->firmware)
		boot_stop("Shadow page tables (ept=off, or a CPU that needs them) are not "
			  "supported while UEFI firmware is a part of the guest. Leave out "
			  "ept=off, or start by the BIOS (CSM).");
	if (!size)
		size = MIN(MAX(memmap_top(&machine) / 64, SHADOW_MIN), SHADOW_MAX);
	size = ALIGN_UP(size, PAGE_SIZE);
	base = find_room(size, LOW_MEMORY, GIB(4));
	if (base == MEMMAP_NONE)
		boot_stop(
			"There is no room for shadow page tables below 4 GiB. Give less, with the "
			"option shadow=.");
	shadow_pool = (struct mem_range){base, size, MEM_RESERVED};
	reserved[nr_reserved++] = shadow_pool;
}

static void start_shadow(void)
{
	const struct room_setup setup = {
		.vm = vm, .pool = phys_to_virt(shadow_pool.base), .pool_size = shadow_pool.size};

	if (!room_find("shadow")->start(&setup))
		boot_stop("Shadow page tables could not be set up, for the reason above.");
}

static void make_vm0(void)
{
	struct vm0_config config = {
		.memory = {.machine = &machine,
			   .hidden = reserved,
			   .nr_hidden = nr_reserved,
			   .logs = logs},
		.acpi = &acpi,
		.bios = !boot_info->efi,
		.keep_icr_trap = options.icr == ICR_TRAP,
		.intercept_pf = options.icept == ICEPT_PF,
		.trace_records = (u32)options.trace,
	};

	vm = vm0_create(&config);
	if (!vm)
		boot_stop("VM 0 could not be created, for the reason above.");
}

/* The BIOS drive number for a value of boot=. */
static unsigned boot_drive(unsigned boot)
{
	if (boot == BOOT_CD)
		return DRIVE_CD;
	return boot == BOOT_DISK ? DRIVE_HD0 : DRIVE_HD0 + boot - BOOT_HD0;
}

/* Give scripts to the room that runs them. */
static void take_scripts(const struct guest_modules *modules)
{
	const struct room *room = room_find("script");

	for (unsigned i = 0; i < modules->nr; i++) {
		const struct guest_module *m = &modules->list[i];
		const char *words = module_arguments(m, SCRIPT_ROLE);
		const void *bytes = words ? module_bytes(vm, m) : NULL;

		if (bytes && room)
			room->start(&(struct room_setup){
				.vm = vm, .words = words, .bytes = bytes, .size = m->size});
		else if (bytes)
			pr_warn("The module \"%.100s\" is not run: this image was built without "
				"the monitor.\n",
				m->string);
	}
}

static void load_vm0(void)
{
	static struct guest_module list[BOOT_MODULES];
	struct guest_modules modules = {.list = list, .nr = boot_info->nr_modules, .rsdp = rsdp};
	const char *refusal = boot_refusal(&options, boot_info->efi_boot_services);

	if (refusal)
		boot_stop(refusal);
	for (unsigned i = 0; i < boot_info->nr_modules; i++)
		list[i] = (struct guest_module){boot_info->modules[i].start,
						boot_info->modules[i].size,
						boot_info->modules[i].string};
	if (boot_info->fb.address && boot_info->fb.type == FB_RGB)
		modules.fb = &boot_info->fb;
	if (vm0_load_boot_vcpu(vm))
		boot_stop("Virtualisation could not be switched on, for the reason above.");
	take_scripts(&modules);
	if (boot_info->firmware)
		return; /* vm0_load_boot_vcpu() has loaded the state that the guest continues in */
	if (options.boot ? load_drive(vm, vm->vcpus[0], boot_drive(options.boot))
			 : load_guest(vm, vm->vcpus[0], &modules))
		boot_stop("The guest could not be loaded.");
}

/* The UARTs that the guest's command line, its modules' strings or the firmware names. */
static unsigned guests_uarts(void)
{
	unsigned named = console_of_spcr(&acpi.spcr_uart);

	for (unsigned i = 0; !options.boot && i < boot_info->nr_modules; i++)
		named |= console_named(boot_info->modules[i].string);
	return named;
}

static const char com2_is_taken[] =
	"COM2 is the guest's: its command line or the ACPI table SPCR names it";

/* Start the monitor, if the option monitor= asks for it and it can have the UART. */
static bool start_monitor(void)
{
	bool com1 = options.monitor == MONITOR_COM1;
	const struct room_setup setup = {.vm = vm,
					 .uart = com1 ? SERIAL_COM1 : SERIAL_COM2,
					 .shared = com1,
					 .symbols = symbols,
					 .symbols_size = symbols_size};
	const struct room *room = room_find("monitor");
	const char *why = NULL;

	if (options.monitor == MONITOR_NONE)
		return false;
	if (!room)
		why = "this image was built without it";
	else if (!(console_present() & (com1 ? CONSOLE_COM1 : CONSOLE_COM2)))
		why = "this machine has no such UART";
	else if (!com1 && guests_uarts() & CONSOLE_COM2)
		why = com2_is_taken;
	if (why)
		pr_warn("monitor=%s: the monitor is not available: %s.\n", com1 ? "com1" : "com2",
			why);
	return !why && room->start(&setup);
}

/* Choose, and report, where Glasshouse logs while the guest runs. */
static unsigned choose_consoles(bool monitor)
{
	unsigned named = guests_uarts();
	unsigned mask = console_choose(options.console, named, console_present());
	char text[CONSOLE_NAMES_SIZE];

	if (monitor && options.monitor == MONITOR_COM1) {
		pr_info("The monitor shares COM1 with the guest, by Ctrl-T.\n");
	} else if (monitor) {
		mask &= ~(unsigned)CONSOLE_COM2;
		pr_info("The monitor listens on COM2, which is hidden from the guest.\n");
	}
	if (options.console == CONSOLE_AUTO && named & console_present() & CONSOLE_COM2)
		pr_info("%s.\n", com2_is_taken);
	pr_info("Entering the guest. From here on Glasshouse logs %s%s.\n",
		mask ? "to "
		     : "only to its ring in memory, which glasshouse-log prints in "
		       "Linux (console= chooses a console)",
		console_names(text, mask));
	return mask;
}

static void enter_vm0(void)
{
	unsigned consoles;
	u64 total = 0;

	for (unsigned i = 0; i < nr_reserved; i++)
		total += ALIGN_UP(reserved[i].size, PAGE_SIZE);
	cpuid_report(vm);
	pr_info("Memory hidden from the guest: %lu KiB (image at %lx, heap at %lx).\n", total >> 10,
		reserved[0].base, reserved[1].base);
	pr_debug("Free heap pages: %zu\n", pages_left());
	consoles = choose_consoles(start_monitor());

	hide_cpus(&acpi);
	__atomic_store_n(&launch, LAUNCH_RUN, __ATOMIC_RELEASE);
	if (vm0_wait_loaded(vm))
		boot_stop("A CPU could not switch virtualisation on, for the reason above. Boot "
			  "with cpus=1.");
	console_select(consoles);
	if (options.console == CONSOLE_AUTO)
		console_give_way(CONSOLE_COM2);
	integrity_take();
	pr_info("The guest starts %lu ticks after Glasshouse.\n", rdtsc() - start_tsc);
	if (options.provoke[0])
		provoke(options.provoke);
	rooms_enter();
	vm0_run(vm);
	cpu_stop();
}

/* The rest of the boot, on the boot CPU's own stack, with Glasshouse's own tables loaded. */
static void run_boot_cpu(void)
{
	cpus[0]->online = true;
	virt_ops = vmx_x86_ops;
	nmi_handler = vcpu_root_nmi;
	if (virt->hardware_setup(options.ept != EPT_OFF))
		boot_stop("This CPU cannot run a guest, for the reasons above.");
	start_cpus();
	if (!virt->uses_second_level())
		reserve_shadow();
	make_vm0();
	if (!virt->uses_second_level())
		start_shadow();
	load_vm0();
	enter_vm0();
}

void boot_early(u64 load_base, bool text_mode)
{
	start_tsc = rdtsc();
	first_pat = paging_load_pat();
	paging_set_image_base(load_base);
	/* Before the IDT, whose gate for NMIs takes its stack from the TSS. */
	desc_load_early();
	idt_init();
	idt_load();
	start_consoles(text_mode);
}

void boot_main(struct boot_info *info)
{
	boot_info = info;
	read_options();
	if (boot_info->refusal)
		boot_stop(boot_info->refusal);
	/* The number of CPUs decides the heap's size, unless the front door has. */
	if (!boot_info->own_heap.size)
		read_acpi(map_boot);
	reserve_memory();
	load_page_tables();
	if (boot_info->own_heap.size)
		read_acpi(map_own);
	cpu_init_registers();
	find_cpus();
	desc_load(cpus[0]);
	call_on_stack(cpus[0]->stack_top, run_boot_cpu);
}
