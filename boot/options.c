/* SPDX-License-Identifier: MIT */
/*
 * The words of Glasshouse's command line.
 */
#include "boot/options.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"
#include "lib/options.h"

static const char *const icr_words[] = {"lift", "trap", NULL};
static const char *const icept_words[] = {"none", "pf", NULL};
static const char *const boot_words[] = {"modules", "hd0", "hd1", "hd2", "hd3",  "hd4",
					 "hd5",     "hd6", "hd7", "cd",  "disk", NULL};
static const char *const log_words[] = {"error", "warning", "info", "debug", NULL};

#define AT(member) offsetof(struct boot_options, member)

static const struct option table[] = {
	{.name = "strict",
	 .kind = OPTION_FLAG,
	 .offset = AT(strict),
	 .help = "stop at an exit that has no handler"},
	{.name = "icr",
	 .kind = OPTION_CHOICE,
	 .offset = AT(icr),
	 .choices = icr_words,
	 .help = "trap: INIT and SIPI are trapped for ever, not only until all CPUs run"},
	{.name = "icept",
	 .kind = OPTION_CHOICE,
	 .offset = AT(icept),
	 .choices = icept_words,
	 .help = "pf: every page fault of the guest exits"},
	{.name = "log",
	 .kind = OPTION_CHOICE,
	 .offset = AT(log),
	 .choices = log_words,
	 .help = "what is printed: this and all that is worse"},
	{.name = "boot",
	 .kind = OPTION_CHOICE,
	 .offset = AT(boot),
	 .choices = boot_words,
	 .help = "what the guest is: modules, or the system on a drive; disk is hd0"},
	{.name = "cpus",
	 .kind = OPTION_UINT,
	 .offset = AT(cpus),
	 .min = 1,
	 .max = MAX_CPUS,
	 .help = "use at most so many CPUs"},
};

void boot_options_parse(struct boot_options *options, const char *cmdline)
{
	*options = (struct boot_options){.log = LOG_INFO};
	options_parse(table, ARRAY_SIZE(table), options, cmdline);
}
