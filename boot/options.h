/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's own command line, parsed. The options' names are in the table in options.c, and in
 * docs/options.md.
 */
#ifndef GH_BOOT_OPTIONS_H
#define GH_BOOT_OPTIONS_H

#include "lib/options.h"

enum icr_option { ICR_LIFT, ICR_TRAP };
/* BOOT_HD0 to BOOT_HD7: hard disks by their BIOS number. BOOT_DISK: the same as BOOT_HD0. BOOT_EFI:
 * UEFI's boot entries; BOOT_PATH: a program of UEFI. */
enum boot_option {
	BOOT_FROM_MODULES,
	BOOT_HD0,
	BOOT_HD7 = BOOT_HD0 + 7,
	BOOT_CD,
	BOOT_DISK,
	BOOT_EFI,
	BOOT_PATH,
};
enum panic_option { PANIC_HALT, PANIC_RESET };
enum monitor_option { MONITOR_NONE, MONITOR_COM1, MONITOR_COM2 };
enum icept_option { ICEPT_NONE, ICEPT_PF };
enum ept_option { EPT_ON, EPT_OFF };

struct boot_options {
	bool strict;      /* stop at an exit that has no handler */
	unsigned icr;     /* enum icr_option */
	unsigned icept;   /* enum icept_option */
	unsigned ept;     /* enum ept_option */
	unsigned monitor; /* enum monitor_option */
	unsigned log;     /* enum log_level: the least severe level that is printed */
	unsigned boot;    /* enum boot_option: what VM 0 starts from */
	unsigned console; /* bits of enum console: what Glasshouse uses while a guest runs */
	unsigned panic;   /* enum panic_option */
	u64 cpus;         /* use at most this number of CPUs; 0: all */
	u64 shadow;       /* bytes for shadow page tables; 0: by the size of RAM */
	u64 reserve;      /* additional bytes for the heap */
	u64 trace;        /* exits of each vCPU that are kept */
	char provoke[64]; /* a failure to cause, for tests (report/provoke.h); "": none */
};

/* The table of options. tests/unit/test_boot_options.c writes docs/options.md from it. */
extern const struct option boot_option_table[];
extern const unsigned boot_option_count;

/*
 * Parse @cmdline into @options, which is first set to the defaults. An invalid word is logged, with
 * the nearest valid one or the allowed values, and has no effect. Returns the number of invalid
 * words.
 */
unsigned boot_options_parse(struct boot_options *options, const char *cmdline);

/* Why the machine cannot start what boot= names, and what to do; NULL if it can. @efi: it has UEFI
 * firmware, whose boot services the guest gets. */
const char *boot_refusal(const struct boot_options *options, bool efi);

#endif
