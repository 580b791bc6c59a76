/* SPDX-License-Identifier: MIT */
/*
 * The table of Glasshouse's command-line options.
 */
#include "boot/options.h"
#include "arch/x86/percpu.h"
#include "drivers/console.h"
#include "lib/log.h"
#include "lib/options.h"
#include "trace_ring.h"

static const char *const icr_words[] = {"lift", "trap", NULL};
static const char *const icept_words[] = {"none", "pf", NULL};
static const char *const ept_words[] = {"on", "off", NULL};
static const char *const monitor_words[] = {"none", "com1", "com2", NULL};
static const char *const boot_words[] = {"modules", "hd0", "hd1", "hd2",  "hd3", "hd4", "hd5",
					 "hd6",     "hd7", "cd",  "disk", "efi", NULL};
static const char *const log_words[] = {"error", "warning", "info", "debug", NULL};

/* In the order of the bits of enum console. */
static const char *const console_words[] = {"com1", "com2", "vga", "e9", "fb", NULL};
static const char *const panic_words[] = {"halt", "reset", NULL};

#define AT(member)            offsetof(struct boot_options, member)
#define sizeof_member(member) sizeof(((struct boot_options *)NULL)->member)

const struct option boot_option_table[] = {
	{.name = "strict",
	 .kind = OPTION_FLAG,
	 .offset = AT(strict),
	 .help = "stop at a VM exit that has no handler"},
	{.name = "icr",
	 .kind = OPTION_CHOICE,
	 .offset = AT(icr),
	 .choices = icr_words,
	 .help = "trap: INIT and SIPI are always trapped, not only until all CPUs run"},
	{.name = "icept",
	 .kind = OPTION_CHOICE,
	 .offset = AT(icept),
	 .choices = icept_words,
	 .help = "pf: every page fault of the guest causes a VM exit"},
	{.name = "ept",
	 .kind = OPTION_CHOICE,
	 .offset = AT(ept),
	 .choices = ept_words,
	 .help = "off: shadow page tables instead of the CPU's second-level tables, so that page "
		 "faults of the guest exit and are fixed or given back by Glasshouse; not under "
		 "UEFI"},
	{.name = "monitor",
	 .kind = OPTION_CHOICE,
	 .offset = AT(monitor),
	 .choices = monitor_words,
	 .help = "com2: Glasshouse answers commands on COM2, which the guest does not see then; "
		 "com1: on COM1, shared by Ctrl-T; "
		 "[the commands](commands.md)"},
	{.name = "log",
	 .kind = OPTION_CHOICE,
	 .offset = AT(log),
	 .choices = log_words,
	 .help = "print messages of this level and of the more severe ones"},
	{.name = "boot",
	 .kind = OPTION_CHOICE,
	 .offset = AT(boot),
	 .choices = boot_words,
	 .path = true,
	 .help = "what the guest starts from: GRUB's modules; a drive of the BIOS (disk is hd0); "
		 "with UEFI firmware its boot entries (efi), or the program that the path names"},
	{.name = "cpus",
	 .kind = OPTION_UINT,
	 .offset = AT(cpus),
	 .min = 1,
	 .max = MAX_CPUS,
	 .help = "use at most this number of CPUs; the others are parked (under UEFI, they run "
		 "the firmware only), and hidden from the guest"},
	{.name = "console",
	 .kind = OPTION_SET,
	 .offset = AT(console),
	 .choices = console_words,
	 .help = "where Glasshouse logs while a guest runs; vga: a screen in text mode; fb: in "
		 "graphics mode; default: com2,e9, without com2 if the guest's command line or the "
		 "ACPI table SPCR names it. Before that, and in a panic, it logs everywhere"},
	{.name = "panic",
	 .kind = OPTION_CHOICE,
	 .offset = AT(panic),
	 .choices = panic_words,
	 .help = "what Glasshouse does after a panic of its own; reset: the next boot prints the "
		 "report again"},
	{.name = "shadow",
	 .kind = OPTION_UINT,
	 .offset = AT(shadow),
	 .min = MIB(1),
	 .max = GIB(1),
	 .help = "with ept=off: memory for shadow page tables; default: a 64th of the RAM, 4M to "
		 "256M"},
	{.name = "reserve",
	 .kind = OPTION_UINT,
	 .offset = AT(reserve),
	 .max = GIB(1),
	 .help = "reserve this number of additional bytes for Glasshouse's tables"},
	{.name = "trace",
	 .kind = OPTION_UINT,
	 .offset = AT(trace),
	 .min = TRACE_RECORDS,
	 .max = TRACE_RECORDS_MAX,
	 .help = "keep this number of exits of each vCPU (40 bytes each) in the flight recorder, "
		 "not 64"},
	{.name = "provoke",
	 .kind = OPTION_STRING,
	 .offset = AT(provoke),
	 .size = sizeof_member(provoke),
	 .help = "for tests: fail on purpose, after some exits; report/provoke.h lists the "
		 "failures"},
};
const unsigned boot_option_count = ARRAY_SIZE(boot_option_table);

unsigned boot_options_parse(struct boot_options *options, const char *cmdline)
{
	*options = (struct boot_options){
		.log = LOG_INFO, .console = CONSOLE_AUTO, .trace = TRACE_RECORDS};
	return options_parse(boot_option_table, boot_option_count, options, cmdline);
}

const char *boot_refusal(const struct boot_options *options, bool efi)
{
	if (options->boot >= BOOT_HD0 && options->boot <= BOOT_DISK && efi)
		return "boot= names a drive of the BIOS, but this machine has UEFI firmware. "
		       "Give boot=efi, or the path of a program, as boot=/EFI/debian/grubx64.efi.";
	if (options->boot >= BOOT_EFI && !efi)
		return "boot= names a program of UEFI, but this machine was started by its BIOS. "
		       "Give boot=disk, or switch UEFI on in the firmware's setup.";
	return NULL;
}
